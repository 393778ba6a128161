//! A judge's seat, and the panel of all of them.
//!
//! A [`Seat`] keeps its judge within bounds: a deadline, a size, so many questions at once,
//! and a rest after repeated failure. A [`Panel`] asks all seats at the same time. Hearing
//! the panel never fails and never takes longer than the longest deadline.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use model::Name;
use model::letter::Letter;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::breaker::{Breaker, State};
use crate::judge::{Answer, Judge, Paper, Unknown};

/// The bounds of one judge.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// How long it may take, connecting included.
    pub deadline: Duration,
    /// The most octets of a message that it is given; the rest is cut off.
    pub size_max: usize,
    /// How many messages it may have at once; further ones are unknown at once.
    pub at_once_max: usize,
}

/// One judge within its bounds.
pub struct Seat {
    name: Name,
    judge: Box<dyn Judge>,
    limits: Limits,
    places: Semaphore,
    breaker: Breaker,
    asked: AtomicU64,
    answered: AtomicU64,
    unknown: [AtomicU64; Unknown::KINDS.len()],
}

/// How a seat has fared since the start.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Counts {
    /// Messages that it was to judge.
    pub asked: u64,
    /// Messages that it judged.
    pub answered: u64,
    /// Messages that it did not, by the kinds of [`Unknown::KINDS`].
    pub unknown: [u64; Unknown::KINDS.len()],
    /// What its breaker lets through.
    pub breaker: State,
}

impl Seat {
    /// Seats a judge. `name` is what its opinions go by, a word such as `rspamd`.
    pub fn new(name: Name, judge: impl Judge, limits: Limits) -> Seat {
        Seat {
            name,
            judge: Box::new(judge),
            limits,
            places: Semaphore::new(limits.at_once_max.min(Semaphore::MAX_PERMITS)),
            breaker: Breaker::default(),
            asked: AtomicU64::new(0),
            answered: AtomicU64::new(0),
            unknown: Default::default(),
        }
    }

    /// What its opinions go by.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// How it has fared.
    pub fn counts(&self) -> Counts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Counts {
            asked: read(&self.asked),
            answered: read(&self.answered),
            unknown: self.unknown.each_ref().map(read),
            breaker: self.breaker.state(),
        }
    }

    /// Asks the judge, within its bounds.
    pub async fn ask(&self, paper: &Paper) -> Answer {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let answer = self.admitted(paper).await;
        self.count(&answer);
        answer
    }

    async fn admitted(&self, paper: &Paper) -> Answer {
        let Ok(_place) = self.places.try_acquire() else { return Answer::Unknown(Unknown::Busy) };
        let Some(pass) = self.breaker.admit() else { return Answer::Unknown(Unknown::Resting) };
        let paper = paper.cut(self.limits.size_max);
        let answer = timeout(self.limits.deadline, self.judge.ask(&paper)).await;
        let answer = answer.unwrap_or(Answer::Unknown(Unknown::Late));
        pass.settle(!matches!(&answer, Answer::Unknown(why) if why.is_failure()));
        answer
    }

    /// Its judge panicked, which is a defect of ours: counted and said, not passed on.
    fn panicked(&self) -> Answer {
        let answer = Answer::Unknown(Unknown::Garbled("expected an answer, but got a panic".into()));
        self.count(&answer);
        answer
    }

    fn count(&self, answer: &Answer) {
        let count = match answer {
            Answer::Said(_) => &self.answered,
            Answer::Unknown(why) => &self.unknown[why.kind()],
        };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

/// All judges of a site.
#[derive(Clone, Default)]
pub struct Panel(Arc<[Arc<Seat>]>);

impl Panel {
    /// A panel of these seats; their order is that of the answers.
    pub fn new(seats: Vec<Seat>) -> Panel {
        Panel(seats.into_iter().map(Arc::new).collect())
    }

    /// Its seats.
    pub fn seats(&self) -> impl Iterator<Item = &Seat> {
        self.0.iter().map(AsRef::as_ref)
    }

    /// Asks all judges at once and gives each one's name and answer, in their order.
    ///
    /// Dropping the future takes all questions back.
    pub async fn hear(&self, letter: Arc<Letter>) -> Vec<(Name, Answer)> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let paper = Paper::new(letter);
        let mut under_way = JoinSet::new();
        for (place, seat) in self.0.iter().enumerate() {
            let (seat, paper) = (Arc::clone(seat), paper.clone());
            under_way.spawn(async move { (place, seat.ask(&paper).await) });
        }
        let mut heard = vec![None; self.0.len()];
        while let Some(joined) = under_way.join_next().await {
            if let Ok((place, answer)) = joined {
                heard[place] = Some(answer);
            }
        }
        let name_them = self.0.iter().zip(heard);
        name_them
            .map(|(seat, answer)| (seat.name.clone(), answer.unwrap_or_else(|| seat.panicked())))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::{Asking, Said};
    use crate::testing::letter;

    /// Answers after so many seconds.
    struct After(u64, Answer);

    impl Judge for After {
        fn ask<'a>(&'a self, _: &'a Paper) -> Asking<'a> {
            Box::pin(async {
                tokio::time::sleep(Duration::from_secs(self.0)).await;
                self.1.clone()
            })
        }
    }

    /// Says how much it was given.
    struct Measuring;

    impl Judge for Measuring {
        fn ask<'a>(&'a self, paper: &'a Paper) -> Asking<'a> {
            let score = i32::try_from(paper.raw.len()).ok();
            Box::pin(async move { Answer::Said(Said { score, ..Said::default() }) })
        }
    }

    struct Panicking;

    impl Judge for Panicking {
        fn ask<'a>(&'a self, _: &'a Paper) -> Asking<'a> {
            Box::pin(async { panic!("a judge loses its head") })
        }
    }

    const LIMITS: Limits = Limits { deadline: Duration::from_secs(10), size_max: 100, at_once_max: 2 };

    fn seat(name: &str, judge: impl Judge) -> Seat {
        Seat::new(Name::new(name.as_bytes()), judge, LIMITS)
    }

    fn said() -> Answer {
        Answer::Said(Said::default())
    }

    async fn hear(panel: &Panel) -> String {
        let heard = panel.hear(Arc::new(letter("Subject: hello\r\n\r\n"))).await;
        let words = heard.iter().map(|(name, answer)| match answer {
            Answer::Said(said) => format!("{name} said {:?}", said.score),
            Answer::Unknown(why) => format!("{name} {why}"),
        });
        words.collect::<Vec<_>>().join("; ")
    }

    #[tokio::test(start_paused = true)]
    async fn all_are_asked_at_once_and_the_longest_deadline_is_the_end() {
        let panel = Panel::new(vec![
            seat("hangs", After(1_000_000, said())),
            seat("slow", After(9, said())),
            seat("mad", Panicking),
            seat("short", Measuring),
        ]);
        let began = tokio::time::Instant::now();
        assert_eq!(
            hear(&panel).await,
            "hangs late; slow said None; mad garbled: expected an answer, but got a panic; short said Some(100)"
        );
        assert_eq!(began.elapsed(), LIMITS.deadline);
    }

    #[tokio::test(start_paused = true)]
    async fn more_than_the_pool_takes_is_unknown_at_once() {
        let panel = Panel::new(vec![seat("slow", After(9, said()))]);
        let (a, b, c) = tokio::join!(hear(&panel), hear(&panel), hear(&panel));
        assert_eq!([&a[..], &b[..], &c[..]], ["slow said None", "slow said None", "slow busy"]);
        let counts = panel.seats().next().unwrap().counts();
        assert_eq!((counts.asked, counts.answered, counts.unknown[Unknown::Busy.kind()]), (3, 2, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn who_fails_five_times_rests_and_comes_back() {
        let panel = Panel::new(vec![seat("hangs", After(11, said()))]);
        for _ in 0..5 {
            assert_eq!(hear(&panel).await, "hangs late");
        }
        assert_eq!(hear(&panel).await, "hangs resting");
        assert!(matches!(panel.seats().next().unwrap().counts().breaker, State::Resting { .. }));
        tokio::time::advance(crate::breaker::REST_MIN).await;
        assert_eq!(hear(&panel).await, "hangs late", "the probe");
        assert_eq!(hear(&panel).await, "hangs resting");
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_message_brings_about_sends_nobody_to_rest() {
        let declined = Answer::Unknown(Unknown::Declined("no".into()));
        let panel = Panel::new(vec![seat("picky", After(0, declined))]);
        for _ in 0..20 {
            assert_eq!(hear(&panel).await, "picky declined: no");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_taken_back_gives_its_place_back() {
        let panel = Panel::new(vec![seat("hangs", After(1_000_000, said()))]);
        for _ in 0..10 {
            let gone = timeout(Duration::from_secs(1), hear(&panel)).await;
            assert!(gone.is_err(), "{gone:?}");
        }
        tokio::task::yield_now().await;
        assert_eq!(hear(&panel).await, "hangs late", "neither busy nor resting");
    }

    #[tokio::test]
    async fn nobody_to_ask_is_no_answer() {
        assert_eq!(hear(&Panel::default()).await, "");
    }
}
