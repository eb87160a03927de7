"""When schedules fire, over every IANA zone, with cronsim as the oracle; and where the two are meant to differ.

cronsim follows Debian's cron, with which the rules for clocks that are put forward or back agree, but for these:

- It takes an expression to have fixed hours where neither the hour nor the *minute* field begins with `*`, and only with five
  fields. Here the hour field alone decides, wherever in it `*` or `/` stands. So `*/10 2 * * *` (fixed here) and
  `0 0-23/2 * * *` (not fixed here) are compared with what follows from the rules, in `_by_the_rules`, not with cronsim in a zone.
- `30 2 * * *` and `45 2 * * *` fall on the same instant where 2:00 to 3:00 is skipped. Of one expression that names both, cronsim
  tells that instant twice; here an instant is told once.
- A skipped time is looked for minute by minute by cronsim, so that it needs a whole minute. All gaps of these years end at one.
- Where day of month and day of week are both given it asks for both if one of them begins with `*` (as in `*/2 * MON`); croniter,
  and so this, for either. Such expressions are left out.
- It steps over hours as a whole, and so misses what falls on the half hour by which Lord Howe's clocks are put forward or back.
- The last Friday is `5L` there, `L5` here.
"""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import islice, pairwise
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

import pytest
from cronsim import CronSim
from hypothesis import given, settings
from hypothesis import strategies as st

from keystroke.domain.catch_up import Policy, what_is_due
from keystroke.domain.cron import Cron
from keystroke.domain.schedule import Timing
from keystroke.domain.source import UNTIL_RESUMED
from keystroke.domain.wall_clock import read_zone

_ZONES: Final = sorted(available_timezones() - {"Factory", "localtime"})
_FIXED: Final = ("30 2 * * *", "0 0 * * *", "15,45 1,2,3 * * *", "30 23 * * SUN", "0 0 1 * *", "59 1-3 * * *")
_ELAPSED: Final = ("*/20 * * * *", "30 * * * *", "0 */2 * * *", "17 */3 * * MON-FRI")
#: Clocks of some zone were put forward or back in each month of these years.
_FIRST, _LAST = datetime(2023, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)
_HOUR: Final = timedelta(hours=1)


@cache
def _changes(name: str) -> tuple[datetime, ...]:
    """The instants at which the clocks of a zone are put forward or back in these years, to the hour."""
    zone, at, found = ZoneInfo(name), _FIRST, []
    while at < _LAST:
        week = at + timedelta(days=7)
        if at.astimezone(zone).utcoffset() != week.astimezone(zone).utcoffset():
            found += [
                hour
                for hour in (at + number * _HOUR for number in range(7 * 24))
                if hour.astimezone(zone).utcoffset() != (hour + _HOUR).astimezone(zone).utcoffset()
            ]
        at = week
    return tuple(found)


@cache
def _clocks() -> tuple[str, ...]:
    """One zone for each way in which clocks go in these years: the other zones are the same by another name."""
    by_ways: dict[object, str] = {}
    for name in _ZONES:
        marks = (_FIRST, *(change + 2 * _HOUR for change in _changes(name)))
        way = tuple((at, at.astimezone(ZoneInfo(name)).utcoffset()) for at in marks)
        by_ways.setdefault(way, name)
    return tuple(by_ways.values())


def _ours(cron: str, zone: str, after: datetime, until: datetime) -> list[datetime]:
    timing = Timing.from_options({"cron": cron, "timezone": zone})
    return timing.fires(after, until, 10_000)


def _oracle(cron: str, zone: str, after: datetime, until: datetime) -> list[datetime]:
    found = (at.astimezone(UTC) for at in CronSim(cron, after.astimezone(ZoneInfo(zone))))
    times: list[datetime] = []
    for at in found:
        if at > until:
            return times
        if after < at and at not in times[-1:]:
            times.append(at)
    return times


def test_every_zone_fires_as_cronsim_says_around_each_change_of_its_clocks() -> None:
    wrong, compared = [], 0
    for name in _clocks():
        for change in _changes(name)[:4]:
            after, until = change - timedelta(hours=30), change + timedelta(hours=30)
            for cron in (*_FIXED, *_ELAPSED):
                compared += 1
                expected = _oracle if cron in _FIXED or _by_whole_hours(name, change) else _by_the_rules
                if _ours(cron, name, after, until) != expected(cron, name, after, until):
                    wrong.append((cron, name, change))
    assert wrong == []
    assert compared > 1000, "zones with changes were looked at"


def _by_whole_hours(zone: str, change: datetime) -> bool:
    clocks = ZoneInfo(zone)
    moved = [at.astimezone(clocks).utcoffset() for at in (change - _HOUR, change + 2 * _HOUR)]
    return (
        all(offset is not None for offset in moved)
        and not ((moved[1] or timedelta()) - (moved[0] or timedelta())) % _HOUR
    )


def test_every_zone_fires_as_cronsim_says_at_any_other_time() -> None:
    chance = random.Random(20)
    wrong = []
    for name in _ZONES:
        after = _FIRST + timedelta(seconds=chance.randrange(int((_LAST - _FIRST).total_seconds())))
        cron = chance.choice((*_FIXED, *_ELAPSED))
        until = after + timedelta(days=4)
        if _ours(cron, name, after, until) != _oracle(cron, name, after, until):
            wrong.append((cron, name, after))
    assert wrong == []


_MINUTES = st.sampled_from(["0", "30", "7", "*/15", "*", "5-10", "0,59", "10-40/10"])
_HOURS = st.sampled_from(["2", "0", "1,3", "*", "*/4", "0-3", "23", "1-7/2"])
_DAYS = st.sampled_from(["*", "1", "L", "15", "29-31", "*/7"])
_MONTHS = st.sampled_from(["*", "MAR", "10-11", "2", "*/5"])
_EXPRESSIONS = st.one_of(
    st.tuples(_MINUTES, _HOURS, _DAYS, _MONTHS, st.just("*")),
    st.tuples(
        _MINUTES, _HOURS, st.just("*"), _MONTHS, st.sampled_from(["*", "SUN", "MON-FRI", "6,0", "FRI#2", "7"])
    ),
).map(" ".join)
_INSTANTS = st.integers(0, 20 * 366 * 86_400).map(
    lambda second: datetime(2020, 1, 1, tzinfo=UTC) + timedelta(seconds=second)
)


@settings(max_examples=150, deadline=None)
@given(_EXPRESSIONS, _INSTANTS)
def test_any_expression_fires_in_utc_as_cronsim_says(cron: str, after: datetime) -> None:
    timing = Timing.from_options({"cron": cron})
    found = [fire.at for fire in timing.upcoming(after, 12)]
    assert found == list(islice(CronSim(cron, after), 12))


def _by_the_rules(cron: str, zone: str, after: datetime, until: datetime) -> list[datetime]:
    """What the rules say, second by second of nothing but Python's own clocks: slow, and plain."""
    clocks, fixed = ZoneInfo(zone), not set(cron.split()[-4]) & set("*/")
    if not fixed:
        minute = timedelta(minutes=1)
        instants = (after + number * minute for number in range(1, int((until - after) / minute) + 1))
        return [at for at in instants if _fits(cron, at.astimezone(clocks))]
    found = set()
    for wall in islice(CronSim(cron, (after - timedelta(days=2)).replace(tzinfo=None)), 5000):
        at = wall.replace(tzinfo=clocks, fold=0).astimezone(UTC)
        if at.astimezone(clocks).replace(tzinfo=None) != wall:
            # It does not exist: the first instant of which the clocks show a later time.
            at -= 2 * _HOUR
            while at.astimezone(clocks).replace(tzinfo=None) < wall:
                at += timedelta(minutes=1)
        if after < at <= until:
            found.add(at)
    return sorted(found)


def _fits(cron: str, local: datetime) -> bool:
    plain = local.replace(tzinfo=None)
    return next(CronSim(cron, plain - timedelta(seconds=1))) == plain


@pytest.mark.parametrize("cron", ["*/10 2 * * *", "0 0-23/2 * * *", "*/30 0,1 * * *", "5 1-23/3 * * *"])
@pytest.mark.parametrize(
    "zone", ["Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "America/Santiago"]
)
def test_where_cronsim_decides_otherwise_the_rules_hold(cron: str, zone: str) -> None:
    for change in _changes(zone)[:2]:
        after, until = change - timedelta(hours=26), change + timedelta(hours=26)
        assert _ours(cron, zone, after, until) == _by_the_rules(cron, zone, after, until)


def test_the_rules_in_words() -> None:
    def local(cron: str, zone: str, day: str) -> list[str]:
        after = datetime.fromisoformat(f"{day}T00:00:00").replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
        timing = Timing.from_options({"cron": cron, "timezone": zone})
        fires = timing.fires(after - timedelta(seconds=1), after + timedelta(hours=5), 100)
        return [timing.local_text(at)[11:] for at in fires]

    # 2027-03-28: from 2:00 to 3:00. 2027-10-31: from 3:00 back to 2:00.
    assert local("30 2 * * *", "Europe/Paris", "2027-03-28") == ["03:00:00 CEST"]
    assert local("0,30 2,3 * * *", "Europe/Paris", "2027-03-28") == ["03:00:00 CEST", "03:30:00 CEST"]
    assert local("30 2 * * *", "Europe/Paris", "2027-10-31") == ["02:30:00 CEST"]
    assert local("*/30 2 * * *", "Europe/Paris", "2027-10-31") == ["02:00:00 CEST", "02:30:00 CEST"]
    assert local("30 * * * *", "Europe/Paris", "2027-03-28")[:3] == [
        "00:30:00 CET",
        "01:30:00 CET",
        "03:30:00 CEST",
    ]
    assert local("0 */2 * * *", "Europe/Paris", "2027-03-28") == [
        "00:00:00 CET",
        "04:00:00 CEST",
        "06:00:00 CEST",
    ]
    assert local("0 */2 * * *", "Europe/Paris", "2027-10-31") == [
        "00:00:00 CEST", "02:00:00 CEST", "02:00:00 CET", "04:00:00 CET",
    ]  # fmt: skip
    # Beirut goes from 24:00 to 1:00, Lord Howe by half an hour, Samoa left out the 30th of December 2011.
    assert local("0 0 * * *", "Asia/Beirut", "2027-03-28") == ["01:00:00 EEST"]
    assert local("15 2 * * *", "Australia/Lord_Howe", "2027-10-03") == ["02:30:00 +11"]
    samoa = Timing.from_options({"cron": "0 12 30 12 *", "timezone": "Pacific/Apia"})
    assert (
        samoa.local_text(samoa.upcoming(datetime(2011, 12, 1, tzinfo=UTC), 1)[0].at)
        == "2011-12-31 00:00:00 +14"
    )


@pytest.mark.parametrize(
    "zone", ["America/St_Johns", "Africa/Casablanca", "Asia/Gaza", "Antarctica/Troll", "Asia/Manila"]
)
def test_each_second_of_old_and_odd_zones_comes_once(zone: str) -> None:
    """With changes at 0:01, twice around Ramadan, by two hours: what fires each minute never skips one."""
    for year in (1988, 2011, 2024):
        after = datetime(year, 1, 1, tzinfo=UTC)
        timing = Timing.from_options({"cron": "* * * * *", "timezone": zone})
        _, count = timing.newest(after, after + timedelta(days=365), 1)
        assert count == 365 * 24 * 60


@settings(max_examples=60, deadline=None)
@given(_EXPRESSIONS, st.sampled_from(_ZONES), _INSTANTS, st.integers(0, 40), st.integers(1, 30))
def test_what_is_counted_is_what_is_listed(
    cron: str, zone: str, after: datetime, days: int, most: int
) -> None:
    timing = Timing.from_options({"cron": cron, "timezone": zone})
    until = after + timedelta(days=days, hours=5)
    listed = timing.fires(after, until, 100_000)
    assert timing.newest(after, until, most) == (listed[-most:], len(listed))
    assert timing.newest(after, until, 0) == ([], len(listed))
    assert all(early < late for early, late in pairwise(listed))
    assert timing.next_after(until) == next(iter(timing.fires(until, until + timedelta(days=3700), 1)), None)


@given(st.integers(1_000_000, 10**12), _INSTANTS, _INSTANTS, st.integers(0, 5))
def test_an_interval_is_anchored_and_counts_right(
    every: int, starts: datetime, after: datetime, most: int
) -> None:
    step = timedelta(microseconds=every)
    timing = Timing.from_options({"every": step.total_seconds(), "starts_at": starts.isoformat()})
    first = timing.next_after(after)
    assert first is not None
    assert first > after
    assert first >= starts
    assert (first - starts) % step == timedelta(0)
    assert first - step <= after or first == starts
    times, count = timing.newest(after, first + 3 * step, most)
    assert count == 4
    assert times == [first + number * step for number in range(4)][4 - most if most < 4 else 0 :]


@given(st.text(min_size=1, max_size=12), _INSTANTS, st.integers(1, 10**6))
def test_jitter_is_the_same_for_the_same_time_and_within_its_bounds(
    source: str, at: datetime, jitter: int
) -> None:
    timing = Timing.from_options({"every": 10**6, "jitter": jitter})
    due = timing.due(source, at)
    assert due == timing.due(source, at)
    assert timedelta(0) <= due - at < timedelta(seconds=jitter)


@pytest.mark.parametrize(
    "cron",
    ["0 0 30 2 *", "0 0 31 4,6,9,11 *", "0 0 31 2 *", "61 * * * *", "* * * *", "* * * * * * *", "", "   ", "@reboot",
     "@every 5m", "H * * * *", "R * * * *", "MON * * * *", "* * * * MON#6", "*/0 * * * *", "5-", "1 2 3 4 5 6 7 8", "a" * 999,
     "0 0 0 * *", "* 24 * * *", "* * * 13 *", "* * * * 8", "٣ * * * *"],
)  # fmt: skip
def test_what_is_no_expression_or_never_comes_is_refused_at_once(cron: str) -> None:
    began = time.perf_counter()
    with pytest.raises(ValueError, match=r"."):
        Timing.from_options({"cron": cron})
    assert time.perf_counter() - began < 1


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="0123456789*/-,LW#?@ MONFRIhr", max_size=30))
def test_whatever_is_written_is_read_or_refused_and_ends(cron: str) -> None:
    try:
        timing = Timing.from_options({"cron": cron})
    except ValueError:
        return
    fires = timing.upcoming(_FIRST, 3)
    assert all(early.at < late.at for early, late in pairwise(fires))


@pytest.mark.parametrize(
    "zone", ["Mars/Olympus", "", "../etc/passwd", "/etc/localtime", "Europe/Paris\0", "CET+1", "x" * 400]
)
def test_what_is_no_zone_is_refused(zone: str) -> None:
    with pytest.raises(ValueError, match="IANA"):
        read_zone(zone)


def test_rare_days_are_found_and_the_search_for_them_ends() -> None:
    began = time.perf_counter()
    leap = Timing.from_options({"cron": "0 0 29 2 *"})
    assert [fire.at.year for fire in leap.upcoming(datetime(2096, 3, 1, tzinfo=UTC), 2)] == [2104, 2108]
    fifth = Timing.from_options({"cron": "0 0 * 2 MON#5"})
    assert [fire.at.year for fire in fifth.upcoming(_FIRST, 2)] == [2044, 2072]
    window = {"cron": "0 0 29 2 *", "ends_at": "2027-12-01T00:00:00Z"}
    assert Timing.from_options(window).next_after(datetime(2026, 1, 1, tzinfo=UTC)) is None
    assert time.perf_counter() - began < 2


@pytest.mark.parametrize(
    "options", [{"cron": "0 0 * * *"}, {"cron": "* * * * *", "timezone": "Asia/Tokyo"}, {"every": 1.0}]
)
def test_at_the_end_of_the_calendar_there_is_no_next_time(options: dict[str, object]) -> None:
    """A source that is paused until somebody resumes it is asked for the first time after that."""
    timing = Timing.from_options(options)
    assert timing.next_after(UNTIL_RESUMED) is None
    assert timing.newest(UNTIL_RESUMED, UNTIL_RESUMED + timedelta(days=1), 3) == ([], 0)
    assert timing.next_after(datetime(3000, 1, 1, tzinfo=UTC)) is not None


def test_a_year_of_seconds_is_counted_without_a_look_at_each() -> None:
    timing = Timing.from_options({"cron": "* * * * * *", "timezone": "Europe/Paris"})
    began = time.perf_counter()
    times, count = timing.newest(_FIRST, _FIRST + timedelta(days=365), 3)
    assert count == 365 * 86_400
    assert times == [_FIRST + timedelta(days=365, seconds=-second) for second in (2, 1, 0)]
    assert time.perf_counter() - began < 2


def test_with_six_fields_the_first_is_the_seconds() -> None:
    fires = Timing.from_options({"cron": "*/20 30 2 * * *"}).upcoming(_FIRST, 3)
    assert [fire.local for fire in fires] == [f"2023-01-01 02:30:{second:02} UTC" for second in (0, 20, 40)]
    assert Cron("5 * * * * *").fixed is False
    assert Cron("* * 3 * * *").fixed is True


def _numbered(source: str, every: float, jitter: float) -> Timing:
    del source
    return Timing.from_options({"every": every, "jitter": jitter})


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(["last", "all", "none"]), st.integers(1, 60), st.integers(1, 90), st.floats(0, 1),
    st.one_of(st.none(), st.floats(1, 3000)), st.lists(st.floats(0, 2000), min_size=1, max_size=8), st.text(max_size=3),
)  # fmt: skip
def test_each_time_is_decided_on_once_whenever_one_looks(
    catch_up: str,
    limit: int,
    every: int,
    jitter: float,
    lateness: float | None,
    looks: list[float],
    source: str,
) -> None:
    """Fires and what is given up, however one looks, are together all the times that are due, and none twice."""
    timing = _numbered(source, every, jitter * every)
    policy = Policy.from_options({"catch_up": catch_up, "catch_up_limit": limit, "max_lateness": lateness})
    since = now = _FIRST
    decided, fires = 0, []
    for wait in looks:
        now += timedelta(seconds=wait)
        while True:
            due = what_is_due(timing, source, policy, since, now)
            if due.given_up is not None:
                decided += due.given_up.before + 1
                since = due.given_up.at
            for each in due.fires:
                assert since < each.at <= now
                assert timing.due(source, each.at) <= now
                decided += each.before + 1
                since = each.at
                fires.append(each.at)
            assert due.next_at is not None
            assert due.next_at > since
            if due.next_at > now or timing.due(source, due.next_at) > now:
                break
    assert decided == timing.newest(_FIRST, since, 0)[1]
    assert fires == sorted(set(fires))
    if catch_up == "all" and lateness is None and limit > 2000 / every + 2:
        assert len(fires) == decided


@pytest.mark.parametrize(
    ("cron", "plain"),
    [
        ("39 18-18 * * *", "39 18 * * *"),
        ("5-5/3 1,2-2,4-5 * * *", "5 1,2,4-5 * * *"),
        ("0 0 15-15 FEB-feb *", "0 0 15 2 *"),
        ("0 0 * 2-feb 01-1", "0 0 * 2 1"),
        ("7-7 0 9 * * MON-MON", "7 0 9 * * MON"),
    ],
)
def test_a_range_from_a_value_to_itself_is_that_value(cron: str, plain: str) -> None:
    after, until = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)
    assert _ours(cron, "Europe/Paris", after, until) == _ours(plain, "Europe/Paris", after, until)
