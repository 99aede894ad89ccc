"""The longest common start, against a count one by one."""

from hypothesis import given
from hypothesis import strategies as st

from mixlogit.data.prefix import common_length

few = st.text("ab", max_size=8)


@given(st.lists(few, min_size=1, max_size=3))
def test_common_length(texts: list[str]) -> None:
    n = 0
    for letters in zip(*texts, strict=False):
        if len(set(letters)) > 1:
            break
        n += 1
    assert common_length(*texts) == n
    assert common_length(*map(list, texts)) == n
