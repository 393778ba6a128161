//! All that is said of one message, put together: by the site's judges, by the look at its
//! attachments, and by SPF, DKIM and DMARC.
//!
//! Nothing here decides. What is unknown stays unknown; a hearing never fails and never
//! takes longer than the judges' deadline.

mod points;
mod seats;

use std::sync::Arc;
use std::time::Duration;

use answers::{EndRule, Ended};
use edge::Persons;
use judges::auth::{Auth, Found, Settings};
use judges::inspect;
use judges::judge::Answer;
use judges::seat::Panel;
use model::exhibit::{Attachment, Opinion};
use model::{Content, Judgement, Letter, Name};

use crate::config::{Asked, Config};
use points::Marks;
pub(crate) use points::Points;

/// Bodies up to this size are looked into on the thread that asks: it takes well under a
/// millisecond.
const INLINE_LEN_MAX: u64 = 16 * 1024;

/// How long a judge may take where nobody waits for the message.
const OFFLINE_DEADLINE: Duration = Duration::from_secs(120);

/// Whom a site asks.
#[derive(Clone)]
pub(crate) struct Hearing(Arc<Parts>);

struct Parts {
    panel: Panel,
    /// What the look at attachments goes by; `None` where it is off.
    look: Option<inspect::Rules>,
    auth: Option<Auth>,
    marks: Marks,
    persons: Persons,
}

/// What was said of one message.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard {
    /// What each judge said.
    pub(crate) opinions: Vec<Opinion>,
    /// What counts of it: the gravest; `None` is unknown.
    pub(crate) verdict: Option<Said>,
    /// What the message itself showed.
    pub(crate) content: Content,
    /// Its attachments.
    pub(crate) attachments: Vec<Attachment>,
    /// What all of it weighs.
    pub(crate) points: Points,
    /// The value of an `Authentication-Results` field.
    pub(crate) results: Option<String>,
}

/// One judge's verdict.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Said {
    pub(crate) judgement: Judgement,
    /// In hundredths.
    pub(crate) score: Option<i32>,
    pub(crate) source: Name,
}

impl Hearing {
    /// The hearing that a configuration asks for; `mx` is who vouches for its results.
    ///
    /// # Errors
    ///
    /// What the resolver's settings lack.
    pub(crate) fn new(config: &Config, persons: Persons, mx: &Name) -> Result<Hearing, String> {
        let asked = config.judges();
        let look = asked.attachments.then(|| rules(config, &asked));
        let auth = if asked.authentication { Some(auth(&asked, mx)?) } else { None };
        Ok(Hearing(Arc::new(Parts {
            panel: seats::panel(&asked),
            look,
            auth,
            marks: Marks::of(&asked),
            persons,
        })))
    }

    /// The same for old mail, `at_once` messages at a time: without sender authentication, for
    /// it can not be held against today's DNS, and with time for every judge.
    pub(crate) fn offline(config: &Config, persons: Persons, at_once: usize) -> Hearing {
        let asked = config.judges();
        let asked = Asked { at_once: asked.at_once.max(at_once), deadline: OFFLINE_DEADLINE, ..asked };
        let look = asked.attachments.then(|| rules(config, &asked));
        Hearing(Arc::new(Parts {
            panel: seats::panel(&asked),
            look,
            auth: None,
            marks: Marks::of(&asked),
            persons,
        }))
    }

    /// How each judge has fared.
    pub(crate) fn panel(&self) -> &Panel {
        &self.0.panel
    }

    /// Hears a message at once if nobody has to be waited for.
    pub(crate) fn at_once(&self, letter: &Letter) -> Option<Heard> {
        let parts = &self.0;
        let quick = parts.look.is_none() || letter.body_len <= INLINE_LEN_MAX;
        let alone = parts.auth.is_none() && parts.panel.seats().next().is_none();
        (alone && quick).then(|| parts.put_together(letter, Vec::new(), parts.look_into(letter), None))
    }

    /// Hears a message. Must be called in a tokio runtime.
    pub(crate) async fn hear(&self, letter: &Arc<Letter>) -> Heard {
        let parts = &self.0;
        let looking = {
            let (parts, letter) = (Arc::clone(parts), Arc::clone(letter));
            tokio::task::spawn_blocking(move || parts.look_into(&letter))
        };
        let found = async {
            let auth = parts.auth.as_ref()?;
            Some(auth.check(Arc::clone(letter)).await)
        };
        let (looked, answers, found) = tokio::join!(looking, parts.panel.hear(Arc::clone(letter)), found);
        // A look that panicked saw nothing: our defect, and told by the panic itself.
        parts.put_together(letter, answers, looked.ok().flatten(), found)
    }
}

impl Heard {
    /// What is counted against the client: a message whose score alone refuses it is unwanted,
    /// whatever its filters call it.
    pub(crate) fn counted(mut self, ended: &Ended) -> Heard {
        let judged =
            self.verdict.as_ref().is_some_and(|said| gravity(said.judgement) >= gravity(Judgement::Spam));
        if ended.rule == Some(EndRule::Scored) && !judged {
            let score = self.verdict.as_ref().and_then(|said| said.score);
            let source = Name::new(b"score");
            self.verdict = Some(Said { judgement: Judgement::Spam, score, source });
        }
        self
    }
}

impl Parts {
    fn look_into(&self, letter: &Letter) -> Option<inspect::Inspected> {
        self.look.as_ref().map(|rules| inspect::inspect(letter, rules))
    }

    fn put_together(
        &self,
        letter: &Letter,
        answers: Vec<(Name, Answer)>,
        looked: Option<inspect::Inspected>,
        found: Option<Found>,
    ) -> Heard {
        let results = self.auth.as_ref().zip(found.as_ref()).map(|(auth, found)| auth.results(found));
        let (looked, found) = (looked.unwrap_or_default(), found.unwrap_or_default());
        let points = Points::of(&answers, self.marks, &looked, &found);
        let signed = found.passed().next().and_then(|domain| self.persons.domain(domain.as_bytes()));
        let content = Content {
            spf: found.spf,
            dkim: signed,
            dmarc: found.dmarc,
            sender_domain: self.persons.domain_of(&letter.sender),
            shape: looked.shape,
            text: looked.text,
            attachment: looked.danger,
            ..Content::default()
        };
        Heard {
            verdict: gravest(&answers),
            opinions: answers.into_iter().map(|(source, answer)| answer.opinion(source)).collect(),
            content,
            attachments: looked.attachments,
            points,
            results,
        }
    }
}

/// A virus goes before spam, spam before a guess, anything before ham; among equals the
/// first judge counts.
fn gravest(answers: &[(Name, Answer)]) -> Option<Said> {
    let said = answers.iter().filter_map(|(source, answer)| {
        let Answer::Said(said) = answer else { return None };
        Some(Said { judgement: said.judgement?, score: said.score, source: source.clone() })
    });
    said.reduce(|first, next| if gravity(next.judgement) > gravity(first.judgement) { next } else { first })
}

fn gravity(judgement: Judgement) -> u8 {
    match judgement {
        Judgement::Ham => 0,
        Judgement::Heuristic => 1,
        Judgement::Spam => 2,
        Judgement::Virus => 3,
    }
}

fn rules(config: &Config, asked: &Asked) -> inspect::Rules {
    let macros = if asked.macros_refused { inspect::Macros::Refuse } else { inspect::Macros::Score };
    inspect::Rules {
        macros,
        our_names: config.own_domains().iter().map(|domain| Name::new(domain.as_str().as_bytes())).collect(),
        report_addresses: config.report_addresses(),
    }
}

fn auth(asked: &Asked, mx: &Name) -> Result<Auth, String> {
    let settings = Settings {
        servers: asked.resolvers.clone(),
        deadline: asked.deadline,
        authserv_id: mx.to_string(),
        ..Settings::default()
    };
    Auth::new(settings).map_err(|e| format!("judges.resolvers: {e}; or set judges.authentication = false"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use judges::judge::{self, Unknown};

    fn said(source: &str, judgement: Option<Judgement>) -> (Name, Answer) {
        let said = judge::Said { judgement, score: Some(100), tests: Vec::new() };
        (Name::new(source.as_bytes()), Answer::Said(said))
    }

    #[test]
    fn the_gravest_verdict_counts_and_silence_is_none() {
        use Judgement::{Ham, Spam, Virus};
        let of = |answers: &[(Name, Answer)]| gravest(answers).map(|s| (s.source.to_string(), s.judgement));
        assert_eq!(of(&[]), None);
        let late = (Name::new(b"rspamd"), Answer::Unknown(Unknown::Late));
        assert_eq!(of(&[late.clone(), said("clamd", None)]), None);
        let all = [late, said("spamd", Some(Ham)), said("rspamd", Some(Spam)), said("header", Some(Spam))];
        assert_eq!(of(&all), Some(("rspamd".to_owned(), Spam)));
        assert_eq!(
            of(&[&all[..], &[said("clamd", Some(Virus))]].concat()),
            Some(("clamd".to_owned(), Virus))
        );
    }
}
