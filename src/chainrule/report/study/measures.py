"""What measures are."""

from __future__ import annotations

DEFINITIONS = {
    "accuracy": "the share of rows (of tokens, where each has a label) whose answer is the true one",
    "balanced_accuracy": "the mean over classes of the share of their rows that are answered rightly",
    "macro_f1": "the mean over classes of F1 = 2 P R / (P + R), with the precision P and the recall R of the class",
    "micro_f1": "F1 = 2 P R / (P + R) of all decisions together, with their precision P and recall R",
    "exact_match": "the share of rows whose whole answer is the true one",
    "hamming_loss": "the share of decisions, one a row and label, that are wrong",
    "roc_auc": "the probability that a row with a label has a higher score for it than one without, mean over labels",
    "average_precision": "the mean of precision over the ranks of rows with a label, mean over labels",
    "calibration_error": "Σ n_b / n |accuracy_b - confidence_b| over 15 bins b of confidence (Guo et al., 2017)",
    "r2": "R² = 1 - Σ (y - ŷ)² / Σ (y - mean y)²",
    "mae": "the mean absolute error, in the unit of the target",
    "rmse": "the root of the mean squared error, in the unit of the target",
    "spearman": "the correlation of the ranks of answers and truth",
    "perplexity": "exp of the mean negative log-likelihood of a token",
    "bits_per_byte": "the negative log-likelihood of the text, to base 2, over its bytes",
    "log_loss": "the mean negative log-likelihood of the true class, in nats",
    "loss": "the mean of what training minimises, without regularization",
    "token_accuracy": "the share of tokens that are the likeliest, given the true ones before them",
    "token_error_rate": "Σ edit distance / Σ length of the true texts, in tokens",
    "bleu": "BLEU of the whole corpus, by sacrebleu",
    "chrf": "chrF of the whole corpus, by sacrebleu",
    "entity_f1": "F1 of entities that are wholly right, by the definition of CoNLL 2003 (conlleval)",
    "strict_entity_f1": "F1 of entities that are wholly right, each of which must begin with B",
    "sentence_accuracy": "the share of rows whose labels are all right",
}


def definition(name: str) -> str:
    """What a measure is; "" for one that is not known here."""
    return DEFINITIONS.get(name, "")
