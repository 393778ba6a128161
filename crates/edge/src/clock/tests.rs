use super::*;

/// 2026-11-21 22:40:07 UTC, an hour after boot.
const WALL: u64 = 1_795_300_807_000;
const BOOT: u64 = 3_600_000;
const YEAR: i64 = 365 * 86_400_000;

/// A machine whose two clocks a test moves by hand.
struct Machine {
    anchor: Anchor,
    at: Reading,
}

impl Machine {
    fn start(last_stamp: Option<u64>) -> (Machine, Start) {
        let at = Reading { wall: WALL, boot: BOOT };
        let (anchor, start) = Anchor::new(at, last_stamp.map(Millis));
        (Machine { anchor, at }, start)
    }

    fn running() -> Machine {
        Machine::start(None).0
    }

    fn set_wall(&mut self, by_ms: i64) {
        self.at.wall = self.at.wall.saturating_add_signed(by_ms);
    }

    /// Both clocks go on by `ms`, with a tick every second.
    fn run(&mut self, ms: u64) -> Vec<Jump> {
        let mut jumps = Vec::new();
        for _ in 0..ms / 1000 {
            self.at.wall += 1000;
            self.at.boot += 1000;
            jumps.extend(self.anchor.tick(self.at));
        }
        jumps
    }

    /// Our time after the start, in milliseconds.
    fn gone(&self) -> i64 {
        difference(self.anchor.now(self.at.boot).0, WALL)
    }
}

/// A jump of a running machine is told once, and time goes on as if nothing were.
#[track_caller]
fn check_live(by_ms: i64) {
    let mut machine = Machine::running();
    machine.run(10_000);
    machine.set_wall(by_ms);
    assert_eq!(machine.run(5_000), [Jump { by_ms, followed: false }]);
    assert_eq!(machine.gone(), 15_000);
    assert_eq!(machine.run(3_600_000), []);
    assert_eq!(machine.gone(), 3_615_000);
}

#[test]
fn a_live_jump_is_reported_once_and_not_followed() {
    for by_ms in [YEAR, -YEAR, 60_001, -60_001, i64::MAX / 4, -1_795_000_000_000] {
        check_live(by_ms);
    }
}

#[test]
fn a_clock_that_is_set_right_again_is_believed_again() {
    let mut machine = Machine::running();
    machine.set_wall(YEAR);
    machine.run(10_000);
    machine.set_wall(-YEAR);
    assert_eq!(machine.run(10_000), [Jump { by_ms: -YEAR, followed: false }]);
    machine.set_wall(500);
    machine.run(100_000);
    assert_eq!(machine.gone(), 120_500);
}

#[test]
fn after_a_jump_small_differences_are_still_followed() {
    let mut machine = Machine::running();
    machine.set_wall(-YEAR);
    machine.run(1000);
    machine.set_wall(-2000);
    assert_eq!(machine.run(1_000_000), []);
    assert_eq!(machine.gone(), 1_001_000 - 2000);
}

#[test]
fn a_small_difference_is_followed_ten_milliseconds_a_second() {
    for (by_ms, after_a_minute) in [(300, 60_300), (60_000, 60_600), (-300, 59_700), (-60_000, 59_400)] {
        let mut machine = Machine::running();
        machine.set_wall(by_ms);
        assert_eq!(machine.run(60_000), [], "{by_ms}");
        assert_eq!(machine.gone(), after_a_minute, "{by_ms}");
    }
}

#[test]
fn ticks_in_quick_succession_do_not_slew_faster() {
    let mut machine = Machine::running();
    machine.set_wall(-5000);
    for _ in 0..1000 {
        machine.at.wall += 10;
        machine.at.boot += 10;
        machine.anchor.tick(machine.at);
    }
    assert_eq!(machine.gone(), 10_000 - 100);
}

#[test]
fn time_never_goes_back_while_it_is_slewed_back() {
    let mut machine = Machine::running();
    machine.set_wall(-50_000);
    let mut before = machine.anchor.now(machine.at.boot);
    for step in 0..100_000 {
        machine.at.wall += 1;
        machine.at.boot += 1;
        if step % 1000 == 0 {
            machine.anchor.tick(machine.at);
        }
        let now = machine.anchor.now(machine.at.boot);
        assert!(now >= before);
        before = now;
    }
    assert_eq!(machine.gone(), 100_000 - 990);
}

#[test]
fn a_start_behind_the_last_stamp_stands_there_and_says_so() {
    let stamp = WALL + 90_000;
    let (mut machine, start) = Machine::start(Some(stamp));
    assert_eq!(start, Start::Earlier { by_ms: 90_000 });
    machine.run(89_000);
    assert_eq!(machine.gone(), 90_000);
    machine.run(2_000);
    assert_eq!(machine.gone(), 91_000);
}

#[test]
fn a_start_a_year_behind_stands_until_the_clock_is_set_right() {
    let stamp = WALL + YEAR.unsigned_abs();
    let (mut machine, start) = Machine::start(Some(stamp));
    assert_eq!(start, Start::Earlier { by_ms: YEAR.unsigned_abs() });
    assert_eq!(machine.run(3_600_000), []);
    assert_eq!(machine.gone(), YEAR);
    machine.set_wall(YEAR);
    assert_eq!(machine.run(10_000), [Jump { by_ms: YEAR, followed: true }]);
    assert_eq!(machine.gone(), YEAR + 3_610_000);
}

#[test]
fn while_time_stands_a_jump_back_is_not_followed() {
    let (mut machine, _) = Machine::start(Some(WALL + 90_000));
    machine.set_wall(-YEAR);
    assert_eq!(machine.run(10_000), [Jump { by_ms: -YEAR, followed: false }]);
    machine.run(90_000);
    assert_eq!(machine.gone(), 100_000);
}

#[test]
fn a_start_a_year_ahead_goes_by_the_wall_and_says_by_how_much() {
    let (machine, start) = Machine::start(Some(WALL - YEAR.unsigned_abs()));
    assert_eq!(start, Start::Later { by_ms: YEAR.unsigned_abs() });
    assert_eq!(machine.gone(), 0);
    assert_eq!(Machine::start(Some(WALL)).1, Start::Later { by_ms: 0 });
    assert_eq!(Machine::start(None).1, Start::First);
}

#[test]
fn the_live_clock_agrees_with_the_machine() {
    let (clock, start) = Clock::start(None);
    assert_eq!(start, Start::First);
    let before = Reading::take().wall;
    let now = clock.now().0;
    assert!((before - 1000..before + 60_000).contains(&now), "{now} is far from {before}");
    assert_eq!(clock.tick(), None);
    assert_eq!(clock.advance(Secs(5)), Err(NotManual));
    let far = Millis(before + 1_000_000);
    assert_eq!(Clock::start(Some(far)).0.now(), far);
}

#[test]
fn a_manual_clock_goes_as_told() {
    let clock = Clock::manual(Millis(5000));
    let same = clock.clone();
    assert_eq!(clock.advance(Secs(2)), Ok(Millis(7000)));
    assert_eq!((same.now(), same.elapsed()), (Millis(7000), Duration::from_secs(2)));
    assert_eq!(same.tick(), None);
    assert_eq!(clock.advance(Secs(u64::MAX)), Ok(Millis(u64::MAX)));
}

#[test]
fn no_reading_can_make_it_panic() {
    let extremes = [0, 1, u64::MAX / 2, u64::MAX];
    for (wall, boot) in extremes.iter().flat_map(|w| extremes.map(|b| (*w, b))) {
        let (anchor, _) = Anchor::new(Reading { wall, boot }, Some(Millis(wall / 2)));
        for (wall, boot) in extremes.iter().flat_map(|w| extremes.map(|b| (*w, b))) {
            let before = anchor.now(boot);
            anchor.tick(Reading { wall, boot });
            assert!(anchor.now(boot) >= before);
        }
    }
}
