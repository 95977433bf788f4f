from core.nouns import Modality
from core.rubrics import FIVE_DIMENSIONS, rubrics_for


def test_every_modality_has_suggestions_and_the_five_dimensions() -> None:
    assert len(FIVE_DIMENSIONS.criteria) == 5
    for modality in Modality:
        rubrics = rubrics_for(modality)
        assert rubrics[-1] is FIVE_DIMENSIONS
        assert len(rubrics) > 3
        assert len({rubric.name for rubric in rubrics}) == len(rubrics)
        for rubric in rubrics:
            assert all(0 < len(line) < 200 and "\n" not in line for line in rubric.criteria)
