"""Model-based search: settings are drawn where those of good trials are, by Optuna."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from chainrule.errors import ConfigurationError
from chainrule.experiment.search.domain import LOG, Domain, Range
from chainrule.experiment.search.search import Drawing, Drawn, Result
from chainrule.experiment.search.space import Dimension, Space
from chainrule.random import generator

#: Trials that are drawn at random before there is a model.
AT_FIRST = 10


class ModelSearch(Drawing):
    """The tree-structured Parzen estimator: of what is drawn, that is taken which good trials have more than others.

    It knows p(x | good) and p(x | others) of the settings x, and takes the best of 24 draws by their ratio.

    A generation is drawn with the results of all before it, told in the order of their numbers, and of itself only that
    its trials are under way: so what is drawn does not depend on how many run at the same time. The size of generations
    (`batch`) is a setting of the search: the smaller, the more each trial knows of others. Failed trials count as the
    worst one that did not fail, as what is near them would fail too.

    Args:
        space: what varies.
        trials: at most; None for as many as time allows.
        batch: trials of a generation.
        seed: of what is drawn.
        higher: whether higher values are better.

    Raises:
        ConfigurationError: when Optuna is missing.

    Example:
        >>> import math
        >>> from chainrule.experiment.search.space import Space
        >>> space = Space({"lr": Range(0.001, 1, scale="log")})
        >>> search, results = ModelSearch(space, trials=40, batch=10, higher=False), []
        >>> for generation in range(4):
        ...     rates = [training.learning_rate for _, _, training in search.generation(generation, results)]
        ...     results += [Result(len(results) + i, abs(math.log10(rate / 0.1))) for i, rate in enumerate(rates)]
        >>> [round(sum(result.value for result in results[i : i + 10]) / 10, 1) for i in (0, 30)]
        [0.7, 0.4]

    Source: Bergstra, Bardenet, Bengio and Kégl, Algorithms for Hyper-Parameter Optimization (2011); several settings at
    a time: Falkner, Klein and Hutter, BOHB (2018); Optuna: Akiba et al. (2019).
    """

    def __init__(self, space: Space, *, trials: int | None, batch: int = 8, seed: int = 0, higher: bool = True) -> None:
        super().__init__(space, trials=trials, batch=batch, seed=seed)
        self.higher = higher
        self._optuna = _optuna()

    def draw(self, numbers: range, earlier: Sequence[tuple[Drawn, Result]]) -> list[Drawn]:
        """Trials drawn by a model of the earlier ones; those that repeat one are drawn at random."""
        if not numbers:
            return []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what Optuna calls experimental
            study = self._study(numbers.start, earlier)
            found: list[Drawn] = []
            for number in numbers:
                drawn = self._asked(study, number)
                if drawn is None:
                    break
                found.append(drawn)
        return found

    def _study(self, first: int, earlier: Sequence[tuple[Drawn, Result]]) -> Any:
        """A study of Optuna that knows the earlier trials; its draws depend on the number of the next one."""
        optuna = self._optuna
        seed = int(generator(self.seed, "model", first).integers(2**32))
        sampler = optuna.samplers.TPESampler(
            n_startup_trials=AT_FIRST, multivariate=True, group=True, constant_liar=True, seed=seed
        )
        study = optuna.create_study(sampler=sampler, direction="maximize" if self.higher else "minimize")
        known = [result.value for _, result in earlier if result.known and result.value is not None]
        worst = (min(known) if self.higher else max(known)) if known else None
        for drawn, result in earlier:
            value = result.value if result.known else worst
            if value is not None:
                study.add_trial(self._trial(drawn.values, value))
        return study

    def _trial(self, values: Mapping[str, Any], value: float) -> Any:
        """A trial as Optuna knows it."""
        held: dict[str, Any] = {}
        spaces = {}

        def told(dimension: Dimension) -> Any:
            found, domain = values[dimension.path], dimension.domain
            spaces[dimension.key] = self._distribution(domain)
            held[dimension.key] = found if isinstance(domain, Range) else (domain.listed() or ()).index(found)
            return found

        self.space.walk(told)
        return self._optuna.trial.create_trial(params=held, distributions=spaces, value=value)

    def _asked(self, study: Any, number: int) -> Drawn | None:
        trial = study.ask()

        def suggested(dimension: Dimension) -> Any:
            key, domain = dimension.key, dimension.domain
            if not isinstance(domain, Range):
                choices = domain.listed() or ()
                return choices[trial.suggest_categorical(key, range(len(choices)))]
            suggest = trial.suggest_int if domain.whole else trial.suggest_float
            return domain.rounded(suggest(key, domain.low, domain.high, log=domain.scale == LOG))

        try:
            drawn = self.taken(self.space.walk(suggested))
        except ConfigurationError:  # settings that do not go together
            drawn = None
        if drawn is None:
            study.tell(trial, state=self._optuna.trial.TrialState.FAIL)
            drawn = self.at_random(number, first=1)
        return drawn

    def _distribution(self, domain: Domain) -> Any:
        """What a setting may be, as Optuna says it: of choices, their places."""
        kinds = self._optuna.distributions
        if not isinstance(domain, Range):
            return kinds.CategoricalDistribution(range(len(domain.listed() or ())))
        kind = kinds.IntDistribution if domain.whole else kinds.FloatDistribution
        return kind(domain.low, domain.high, log=domain.scale == LOG)


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise ConfigurationError(
            "model-based search needs Optuna: pip install 'chainrule[search]'; or take method random or grid"
        ) from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna
