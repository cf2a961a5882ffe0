"""Numbers in sentences are those of recorded tables."""

from helpers.report.sentences import TRUST, TRUST_EXPERIMENTS, trust_in_words


def test_the_trust_in_qualities_without_labels_is_the_one_of_the_recorded_table():
    from helpers.book.data import table
    from helpers.quality import mean_rank_correlations

    names = {"rankme": "the effective rank", "mean_cosine": "low anisotropy", "validation": "labels of other clients"}
    found = mean_rank_correlations(table("results/clients_unlabelled_models.csv"), list(names), n_resamples=999)
    assert set(names.values()) == set(TRUST) and set(found["experiments"]) == {TRUST_EXPERIMENTS}
    for name, words in names.items():
        recorded = found.loc[name, ["spearman", "ci_low", "ci_high"]].astype(float)
        assert TRUST[words] == tuple(recorded.round(2)), words
    assert "labels of other clients +0.93 [+0.88, +0.97]" in trust_in_words()
