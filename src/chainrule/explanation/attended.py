"""Attention: what the tokens looked at on the way to a tensor, found in its graph."""

from __future__ import annotations

from chainrule.blocks.additive_attention import AttendAdditively
from chainrule.blocks.attention import Attend
from chainrule.errors import ConfigurationError
from chainrule.graph.order import topological_order
from chainrule.graph.spec import Array
from chainrule.graph.tensor import Tensor


def attention(output: Tensor) -> list[Array]:
    """The probabilities of each attention that a tensor was computed by, in the order of the computation.

    They are those of `chainrule.attend` and `attend_additively`, and so of every layer and model: what is found is in
    the graph of the tensor, whatever network made it.

    Args:
        output: computed block by block, and not by a compiled function.

    Returns:
        arrays of shape (heads, tokens, tokens that are looked at); each row sums to 1, or to 0 where a token sees none.

    Raises:
        ConfigurationError: for a tensor without a value, as of a traced function.

    Example (a token that agrees with the first of two, by 1 against 0):
        >>> import chainrule
        >>> keys = chainrule.tensor([[[1.0]], [[0.0]]])
        >>> (found,) = attention(chainrule.attend(chainrule.tensor([[[1.0]]]), keys, keys, [0, 1], [0, 2]))
        >>> found.round(2)
        array([[[0.73, 0.27]]], dtype=float32)
    """
    if output.value is None:
        raise ConfigurationError(
            "attention: expected a tensor with a value, computed block by block; call the network itself, and "
            "no compiled function"
        )
    found = []
    for node in topological_order([output]):
        arrays = [x.numpy() for x in node.inputs] if isinstance(node.block, Attend | AttendAdditively) else []
        if isinstance(node.block, Attend):
            q, k, _, *both = arrays[:5]
            found.append(node.block.probabilities(q, k, *both))
        elif isinstance(node.block, AttendAdditively):
            q, k, _, w, *both = arrays
            found.append(node.block.probabilities(q, k, w, *both))
    return found
