"""What people type into the box: ids, customer numbers and links are told from names."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from workers.operations_find import ids_in

ID = "2a39e420-3ba3-4384-8024-fa702ef99c9f"


@pytest.mark.parametrize(
    "words",
    [
        ID,
        f"tl-{ID}",
        f"company:{ID}",
        f"https://focus.teamleader.eu/company_detail.php?id={ID}",
        f"https://focus.teamleader.eu/web/companies/{ID}?tab=invoices",
        f"see {ID} and {ID}",
    ],
)
def test_an_id_is_found_wherever_it_stands(words):
    assert ids_in(words, "tl-") == (ID,)


@pytest.mark.parametrize(
    ("words", "ids"),
    [
        ("https://focus.teamleader.eu/contact_detail.php?id=12345", ("12345",)),
        ("contact:ab-c", ("ab-c",)),
        ("contact:abc", ()),
        ("tl-abc", ("abc",)),
        ("Bakkerij Tarwe", ()),
        ("BE0537520055", ()),
        ("info@example.com", ()),
        ("person:abc", ()),
        ("company:a b", ()),
    ],
)
def test_names_and_numbers_are_left_to_teamleader(words, ids):
    assert ids_in(words, "tl-") == ids


@pytest.mark.parametrize(
    ("words", "prefix", "ids"),
    [
        ("BE0537520055", "BE", ()),
        ("Tarwe", "T", ()),
        ("Tarwe", "Tarwe", ()),
        ("TL_abc", "TL_", ("abc",)),
        ("TLab-c", "TL", ("ab-c",)),
        (f"BE{ID}", "BE", (ID,)),
    ],
)
def test_words_that_begin_like_a_customer_number_are_still_words(words, prefix, ids):
    assert ids_in(words, prefix) == ids


@given(st.text(max_size=60) | st.text(":/?&=id[]12", max_size=40), st.sampled_from(["", "tl-"]))
@example("http://[", "")
@example("https://x?id=1;2", "")
def test_whatever_is_typed_gives_ids_that_may_be_asked_for(words, prefix):
    assert all(one.replace("-", "").isalnum() for one in ids_in(words, prefix))
