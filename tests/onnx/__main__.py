"""All node cases of ONNX's own suite on both engines: how many are equal, and why the others are refused."""

from collections import Counter

from tests.onnx.suite import cases, outcome

for engine in ("eager", "native"):
    outcomes = [outcome(case, engine) for case in cases()]
    reasons = Counter(refusal.partition(";")[0] for refusal in outcomes if refusal is not None)
    print(f"{engine}: {outcomes.count(None)} of {len(outcomes)} equal, {sum(reasons.values())} refused")
for reason, count in reasons.most_common():
    print(f"{count:5} {reason}")
