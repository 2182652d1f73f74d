"""What the machines and laws draw: names and texts that are legal, and likely to be mistreated."""

from __future__ import annotations

from hypothesis import strategies as st

METADATA_KEYS = st.sampled_from(["userId", "env", "app", "a key=&%", "ü/+"])
METADATA_VALUES = st.one_of(
    st.sampled_from(["", "dev", "prod", "x=y", "a&b", "100%", "a b+c", "ü"]),
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0x17F), max_size=12),
)
METADATA = st.dictionaries(METADATA_KEYS, METADATA_VALUES, min_size=1, max_size=3)

# Few names, so that paths meet often; odd ones, so that quoting is tried.
FILE_NAMES = st.sampled_from(["a", "b", "c.txt", "name with space", "ünï", "-dash", "q'uo\"te"])
FILE_TEXTS = st.one_of(
    st.sampled_from(["", "one line\n", "no end", "ü\u2028😀", "\x00\x01\xff", "\r\n" * 3]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=200),
    st.integers(1, 3).map(lambda blocks: "0123456789abcdef" * 4096 * blocks),
)

INPUT_LINES = st.lists(
    st.sampled_from(["", "x", "two words", "ü😀", "'quoted'", "$HOME"]), min_size=1, max_size=4
)
EXIT_CODES = st.sampled_from([0, 1, 2, 3, 42, 126, 127, 255])
NO_TOKENS = st.one_of(
    st.sampled_from(["<base64-token>", "AAAA", "!", "MjAyNi0wMS0wMQ==", "a__b", "Xw=="]),
    st.text("abcXYZ012_-=", min_size=1, max_size=24),
)
TAGS = st.lists(st.sampled_from(["default", "v1", "v2"]), min_size=1, max_size=2, unique=True)
# Few names in several spellings of which some are one.
SECRET_NAMES = st.sampled_from(["key", "KEY", "Key", "other_key", "a-b", "A-B", "0"])
SECRET_METADATA = st.dictionaries(METADATA_KEYS, METADATA_VALUES, max_size=2)
