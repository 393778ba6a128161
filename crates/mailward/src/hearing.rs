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
use judges::auth::{Auth, Found, Mx, Settings};
use judges::inspect;
use judges::judge::Answer;
use judges::seat::Panel;
use model::content::Spf;
use model::exhibit::{Attachment, Opinion};
use model::{Content, Judgement, Letter, Name};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::config::{Asked, Config, Weights};
use points::Marks;
pub(crate) use points::Points;

/// Messages whose attachments are looked into at once: each may unpack 100 MiB.
const LOOKS_AT_ONCE: usize = 4;

/// How long a judge may take where nobody waits for the message.
const OFFLINE_DEADLINE: Duration = Duration::from_secs(120);

/// Whom a site asks.
#[derive(Clone)]
pub(crate) struct Hearing(Arc<Parts>);

struct Parts {
    panel: Panel,
    /// What the look at a message goes by.
    look: inspect::Rules,
    /// Attachments are looked into.
    attachments: bool,
    looks: Arc<Semaphore>,
    /// How long a look may wait for its turn.
    patience: Duration,
    auth: Option<Auth>,
    marks: Marks,
    weights: Weights,
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
    /// Whether a mail server of the sender's domain can be reached, as far as DNS tells.
    pub(crate) reached: Option<bool>,
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
        let auth = if asked.authentication { Some(auth(&asked, config.weights(), mx)?) } else { None };
        Ok(Hearing::of(config, &asked, auth, persons))
    }

    /// The same for old mail, `at_once` messages at a time: without sender authentication, for
    /// it can not be held against today's DNS, and with time for every judge.
    pub(crate) fn offline(config: &Config, persons: Persons, at_once: usize) -> Hearing {
        let asked = config.judges();
        let asked = Asked { at_once: asked.at_once.max(at_once), deadline: OFFLINE_DEADLINE, ..asked };
        Hearing::of(config, &asked, None, persons)
    }

    fn of(config: &Config, asked: &Asked, auth: Option<Auth>, persons: Persons) -> Hearing {
        Hearing(Arc::new(Parts {
            panel: seats::panel(asked),
            look: rules(config, asked),
            attachments: asked.attachments,
            looks: Arc::new(Semaphore::new(LOOKS_AT_ONCE)),
            patience: asked.deadline,
            auth,
            marks: Marks::of(asked),
            weights: config.weights(),
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
        let alone = parts.auth.is_none() && parts.panel.seats().next().is_none();
        (alone && !parts.attachments)
            .then(|| parts.put_together(letter, Vec::new(), Some(parts.look_into(letter)), None))
    }

    /// Hears a message. Must be called in a tokio runtime.
    pub(crate) async fn hear(&self, letter: &Arc<Letter>) -> Heard {
        let parts = &self.0;
        let looking = async {
            let turn = timeout(self.0.patience, Arc::clone(&parts.looks).acquire_owned()).await;
            // Nobody looks: what is attached is unknown.
            let Ok(Ok(turn)) = turn else { return None };
            let (parts, letter) = (Arc::clone(parts), Arc::clone(letter));
            let look = tokio::task::spawn_blocking(move || {
                let _turn = turn;
                parts.look_into(&letter)
            });
            // A look that panicked saw nothing: our defect, and told by the panic itself.
            look.await.ok()
        };
        let found = async {
            let auth = parts.auth.as_ref()?;
            Some(auth.check(Arc::clone(letter)).await)
        };
        let (looked, answers, found) = tokio::join!(looking, parts.panel.hear(Arc::clone(letter)), found);
        parts.put_together(letter, answers, looked, found)
    }
}

impl Heard {
    /// What is counted against the client: a message that its score refuses is unwanted, unless
    /// a filter calls it good.
    pub(crate) fn counted(mut self, ended: &Ended) -> Heard {
        if ended.rule == Some(EndRule::Scored) && self.verdict.is_none() {
            let source = Name::new(b"score");
            self.verdict = Some(Said { judgement: Judgement::Spam, score: None, source });
        }
        self
    }
}

impl Parts {
    /// Looks at all of a message, or at its header alone: what kind of mail it is must be known
    /// in any case.
    fn look_into(&self, letter: &Letter) -> inspect::Inspected {
        if self.attachments {
            return inspect::inspect(letter, &self.look);
        }
        inspect::inspect(&without_body(letter), &self.look)
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
        let points = Points::of(&answers, self.marks, &looked, &found).weighed(self.weights);
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
            reached: reached(&found),
        }
    }
}

/// Whether answers to the sender's domain find a server. Anybody can write a sender of a domain
/// that says it takes no mail: only where SPF vouches for the client did that domain send (ADV-9).
fn reached(found: &Found) -> Option<bool> {
    match found.mx {
        Mx::Fine => Some(true),
        Mx::Bogus => Some(false),
        Mx::Null if found.spf == Spf::Pass => Some(false),
        Mx::Null | Mx::Unknown => None,
    }
}

/// A letter as its envelope and header tell of it; nothing of its body is copied.
fn without_body(letter: &Letter) -> Letter {
    Letter {
        began: letter.began,
        at: letter.at,
        session: letter.session,
        client: letter.client.clone(),
        through: letter.through.clone(),
        mx: letter.mx.clone(),
        queue_id: letter.queue_id.clone(),
        protocol: letter.protocol.clone(),
        tls: letter.tls.clone(),
        sender: letter.sender.clone(),
        recipients: letter.recipients.clone(),
        recipients_more: letter.recipients_more,
        fields: letter.fields.clone(),
        fields_whole: letter.fields_whole,
        body: Vec::new(),
        body_len: 0,
        body_hash: letter.body_hash,
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

fn auth(asked: &Asked, weights: Weights, mx: &Name) -> Result<Auth, String> {
    let settings = Settings {
        servers: asked.resolvers.clone(),
        deadline: asked.deadline,
        authserv_id: mx.to_string(),
        mx: weights.conduct,
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
    fn adv_9_a_null_mx_is_the_domain_s_own_doing_only_where_spf_vouches_for_the_client() {
        for (mx, spf, expect) in [
            (Mx::Unknown, Spf::Pass, None),
            (Mx::Fine, Spf::Fail, Some(true)),
            (Mx::Bogus, Spf::Fail, Some(false)),
            (Mx::Null, Spf::Pass, Some(false)),
            (Mx::Null, Spf::Fail, None),
            (Mx::Null, Spf::None, None),
        ] {
            assert_eq!(reached(&Found { mx, spf, ..Found::default() }), expect, "{mx:?} {spf:?}");
        }
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
