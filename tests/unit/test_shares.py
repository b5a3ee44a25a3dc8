"""Fair shares of a process' threads: nobody is kept waiting by a backlog, by an API that hangs, or by many of either."""

from hypothesis import given
from hypothesis import strategies as st

from workers.shares import LONG_SECONDS, PLACES, Shares

NOW = 1000.0
LATER = NOW + LONG_SECONDS + 1


def taken(shares, *waiting, now=NOW, most=100):
    """Who takes threads, in order, until nobody may take another one."""
    order = []
    while len(order) < most and (who := shares.next_of(waiting, now)):
        shares.take(who, now)
        order.append(who)
    return order


def test_one_alone_gets_a_few_threads_and_no_more():
    assert taken(Shares(32), "a") == ["a"] * PLACES


def test_who_has_fewest_goes_first_and_of_equals_whose_last_turn_is_longest_ago():
    shares = Shares(32)
    shares.take("a", NOW)

    assert taken(shares, "a", "b", "c", most=4) == ["b", "c", "a", "b"]


def test_who_comes_after_a_while_does_not_wait_for_those_who_are_served_all_the_time():
    shares, many = Shares(4), [f"backlog-{number}" for number in range(20)]
    for who in (many * 2)[:24]:
        shares.take(who, NOW)
        shares.give_back(who, NOW, answered=True)

    assert shares.next_of([*many, "seldom"], NOW) == "seldom"


def test_the_fewer_threads_are_free_the_fewer_each_gets():
    shares = Shares(32)

    got = [len(taken(shares, f"merchant-{number}")) for number in range(32)]

    assert got[:4] == [4, 3, 3, 3]
    assert got == sorted(got, reverse=True)
    # So many can begin to hang at the same moment before the next one has to wait.
    assert sum(1 for threads in got if threads) == 20


def test_what_takes_long_gets_no_further_thread():
    shares = Shares(32)
    shares.take("hangs", NOW)

    assert taken(shares, "hangs", now=LATER) == []


def test_who_got_no_answer_has_one_thread_until_it_gets_one():
    shares = Shares(32)
    shares.take("down", NOW)
    shares.give_back("down", NOW, answered=False)

    assert taken(shares, "down", now=LATER) == ["down"]
    shares.give_back("down", LATER, answered=None)
    assert taken(shares, "down", now=LATER) == ["down"]
    shares.give_back("down", LATER, answered=True)
    assert taken(shares, "down", now=LATER) == ["down"] * PLACES


def test_who_answers_late_but_answers_is_not_kept_back():
    shares = Shares(32)
    shares.take("slow", NOW)
    shares.give_back("slow", NOW, answered=True)

    assert taken(shares, "slow", now=LATER) == ["slow"] * PLACES


def test_all_that_get_no_answers_have_half_of_the_threads():
    shares, many = Shares(8), [f"down-{number}" for number in range(20)]
    for who in many:
        shares.take(who, NOW)
        shares.give_back(who, NOW, answered=False)

    assert taken(shares, *many, now=LATER) == many[:4]
    assert taken(shares, *many, "well", now=LATER)[:1] == ["well"]


def test_what_hangs_now_counts_among_them():
    shares = Shares(8)
    for who in ("hangs-1", "hangs-2", "hangs-3", "hangs-4", "down"):
        shares.take(who, NOW)
    shares.give_back("down", NOW, answered=False)

    assert shares.next_of(["down"], LATER) is None
    assert shares.next_of(["well"], LATER) == "well"


def test_a_single_thread_serves_everybody_in_turn():
    shares = Shares(1)
    shares.take("down", NOW)
    assert shares.next_of(["down", "well"], LATER) is None
    shares.give_back("down", NOW, answered=False)

    assert shares.next_of(["down"], LATER) == "down"
    assert shares.next_of(["down", "well"], LATER) == "well"


names = st.sampled_from(["a", "b", "c", "d", "e"])
answers = st.sampled_from([True, False, None])
steps = st.lists(st.tuples(names, st.floats(0, 10), st.booleans(), answers), max_size=60)


@given(threads=st.integers(1, 40), steps=steps)
def test_whatever_happens_no_thread_is_given_twice_and_who_gets_answers_and_has_none_is_served(threads, steps):
    shares, now, in_hand, down = Shares(threads), NOW, [], set()

    for who, seconds, ends, answered in steps:
        now += seconds
        if ends and in_hand:
            ended, began = in_hand.pop(0)
            shares.give_back(ended, began, answered=answered)
            down = {True: down - {ended}, False: down | {ended}, None: down}[answered]
        got = shares.next_of([who], now)
        has_none = all(other != who for other, _ in in_hand)
        assert got or len(in_hand) == threads or who in down or not has_none
        if got:
            shares.take(who, now)
            in_hand.append((who, now))
    assert len(in_hand) <= threads
    assert sum(map(shares.has, "abcde")) == len(in_hand)
