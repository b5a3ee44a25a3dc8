"""Fair shares of a process' threads: nobody is kept waiting by a backlog, by an API that hangs, or by many of either."""

from hypothesis import given
from hypothesis import strategies as st

from workers.shares import PLACES, SLOW_SECONDS, Shares

NOW = 1000.0
LATER = NOW + SLOW_SECONDS + 1


def taken(shares, *waiting, now=NOW, most=100):
    """Who takes threads, in order, until nobody may take another one."""
    order = []
    while len(order) < most and (who := shares.next_of(waiting, now)):
        shares.take(who, now)
        order.append(who)
    return order


def test_one_alone_gets_a_few_threads_and_no_more():
    assert taken(Shares(32), "a") == ["a"] * PLACES


def test_who_has_fewest_goes_first_and_of_equals_who_waits_longest():
    shares = Shares(32)
    shares.take("a", NOW)

    assert taken(shares, "a", "b", "c", most=4) == ["b", "c", "a", "b"]


def test_the_fewer_threads_are_free_the_fewer_each_gets():
    shares = Shares(32)

    got = [len(taken(shares, f"merchant-{number}")) for number in range(32)]

    assert got[:4] == [4, 3, 3, 3]
    assert got == sorted(got, reverse=True)
    # So many can begin to hang at the same moment before the next one has to wait.
    assert sum(1 for threads in got if threads) == 20


def test_what_takes_long_gets_no_second_thread():
    shares = Shares(32)
    shares.take("hangs", NOW)

    assert taken(shares, "hangs", now=LATER) == []


def test_whose_last_work_took_long_gets_one_thread_until_it_is_quick_again():
    shares = Shares(32)
    shares.take("slow", NOW)
    shares.give_back("slow", NOW, LATER)

    assert taken(shares, "slow", now=LATER) == ["slow"]
    shares.give_back("slow", LATER, LATER + 0.1)
    assert taken(shares, "slow", now=LATER + 1) == ["slow"] * PLACES


def test_all_slow_ones_together_get_half_of_the_threads():
    shares, many = Shares(8), [f"slow-{number}" for number in range(20)]
    for who in many:
        shares.take(who, NOW)
        shares.give_back(who, NOW, LATER)

    assert taken(shares, *many, now=LATER) == many[:4]
    assert taken(shares, *many, "well", now=LATER)[:1] == ["well"]


def test_a_single_thread_serves_everybody_in_turn():
    shares = Shares(1)
    shares.take("slow", NOW)
    assert shares.next_of(["slow", "well"], LATER) is None
    shares.give_back("slow", NOW, LATER)

    assert shares.next_of(["slow"], LATER) == "slow"
    assert shares.next_of(["well", "slow"], LATER) == "well"


names = st.sampled_from(["a", "b", "c", "d", "e"])
steps = st.lists(st.tuples(names, st.floats(0, 10), st.booleans()), max_size=60)


@given(threads=st.integers(1, 40), steps=steps)
def test_whatever_happens_no_thread_is_given_twice_and_who_is_quick_and_has_none_is_served(threads, steps):
    shares, now, in_hand = Shares(threads), NOW, []
    quick = set("abcde")

    for who, seconds, ends in steps:
        now += seconds
        if ends and in_hand:
            ended, began = in_hand.pop(0)
            shares.give_back(ended, began, now)
            quick = quick - {ended} if now - began > SLOW_SECONDS else quick | {ended}
        got = shares.next_of([who], now)
        if got:
            shares.take(who, now)
            in_hand.append((who, now))
        has_none = all(other != who for other, _ in in_hand)
        assert got or len(in_hand) == threads or who not in quick or not has_none
    assert len(in_hand) <= threads
    assert sum(map(shares.has, "abcde")) == len(in_hand)
