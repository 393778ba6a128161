//! One SMTP session, step by step: from commands to answers and observations (STD-75).

use model::{Answered, Millis};
use projections::View;
use wire::milter::{Actions, Command, MacroList, Offer, Peer, Protocol, Reply, Settings, Wish, negotiate};

use super::begun::Begun;
use super::client::Standing;
use super::connection::{End, Said};
use super::counters::count;
use super::crowd::Visit;
use super::host::Host;
use super::message::{Around, Draft, Held, Whole};
use super::rcpt::{Asked, answer, attempt, rejected};
use super::session::{Session, relayed, seen, sent};
use super::trouble::Trouble;

/// What all answers of one moment are made from.
pub(super) struct Moment<'a> {
    pub(super) now: Millis,
    pub(super) view: &'a View,
    pub(super) host: &'a Host,
}

/// What comes after a command.
pub(super) enum Next {
    /// The next one.
    More,
    /// A message came to its end, and its answer is still open.
    Inspect(Box<Whole>),
}

/// What one connection remembers from one command to the next.
#[derive(Debug)]
pub(super) struct Desk {
    /// What is heard counts.
    heard: bool,
    agreed: Option<Settings<'static>>,
    begun: Begun,
    session: Option<Session>,
    draft: Option<Draft>,
}

impl Desk {
    pub(super) fn new(heard: bool) -> Desk {
        Desk { heard, agreed: None, begun: Begun::default(), session: None, draft: None }
    }

    /// What was agreed; before that, nothing.
    pub(super) fn agreed(&self) -> Settings<'static> {
        self.agreed.unwrap_or(Settings {
            version: 0,
            actions: Actions(0),
            protocol: Protocol(0),
            macros: &[],
        })
    }

    /// Takes one command in, answers it if it wants an answer, and notes what it shows.
    pub(super) fn take(
        &mut self,
        kind: u8,
        command: Command<'_>,
        at: &Moment<'_>,
        said: &mut Said,
    ) -> Result<Next, End> {
        let before = said.out.len();
        let next = self.act(kind, command, at, said)?;
        if !matches!(command, Command::Macros(_)) {
            self.begun.done();
        }
        let open = matches!(next, Next::Inspect(_));
        if said.out.len() == before && !open && !self.agreed().protocol.is_silent(kind) {
            Reply::Continue.write(&mut said.out);
        }
        Ok(next)
    }

    fn act(&mut self, kind: u8, command: Command<'_>, at: &Moment<'_>, said: &mut Said) -> Result<Next, End> {
        if let Command::Negotiate(offer) = command {
            return self.negotiate(offer, at, said).map(|()| Next::More);
        }
        if self.agreed.is_none() && !matches!(command, Command::Quit) {
            return Err(End::OutOfTurn(kind));
        }
        match command {
            Command::Macros(list) => self.macros(&list),
            Command::Connect { peer, .. } => self.connect(peer, at, said),
            Command::Helo(name) => self.helo(name),
            Command::Mail { path, parameters } => self.mail(path, !parameters.is_empty(), at, said),
            Command::Rcpt { path, .. } => self.rcpt(path, at, said),
            Command::Field { name, value } => self.field(name, value, at),
            Command::Body(piece) => self.body(piece, at, said),
            Command::EndOfBody(piece) => return Ok(self.end(piece, at, said)),
            Command::Unknown(line) => self.unknown(line),
            Command::Abort => self.abort(),
            Command::Quit => {
                self.leave(at, said);
                return Err(End::Quit);
            }
            Command::QuitNew => self.leave(at, said),
            Command::Negotiate(_) | Command::Data | Command::EndOfHeader => {}
        }
        Ok(Next::More)
    }

    fn negotiate(&mut self, offer: Offer, at: &Moment<'_>, said: &mut Said) -> Result<(), End> {
        let wish = Wish { quarantine: at.host.shared.config.quarantine };
        let agreed = negotiate(offer, wish).map_err(End::NoAgreement)?;
        Reply::Agreed(agreed).write(&mut said.out);
        self.agreed = Some(agreed);
        Ok(())
    }

    fn macros(&mut self, list: &MacroList<'_>) {
        self.begun.note(list);
        if let (Some(draft), Some(id)) = (&mut self.draft, list.get("i")) {
            draft.name(id);
        }
    }

    /// A client without an address of the Internet is nobody whom we could judge.
    fn connect(&mut self, peer: Peer<'_>, at: &Moment<'_>, said: &mut Said) {
        self.leave(at, said);
        self.session = match peer {
            Peer::Ip(addr, port) => Some(Session::new(addr, port, &self.begun, at)),
            Peer::Unknown | Peer::Local(_) => None,
        };
        if let Some(session) = self.session.as_mut().filter(|_| self.heard) {
            said.seen.extend(session.enter(at));
        }
    }

    fn helo(&mut self, name: &[u8]) {
        self.draft = None;
        if let Some(session) = &mut self.session {
            session.helo(name, &self.begun);
        }
    }

    fn unknown(&mut self, line: &[u8]) {
        if let Some(session) = &mut self.session {
            session.bearing.said(line);
        }
    }

    fn abort(&mut self) {
        if let (Some(draft), Some(session)) = (self.draft.take(), &mut self.session) {
            session.bearing.gave_up(draft.refused);
        }
    }

    /// The session is over.
    fn leave(&mut self, at: &Moment<'_>, said: &mut Said) {
        if let Some(session) = self.session.as_mut().filter(|_| self.heard) {
            session.tell_conduct(at, said);
        }
        (self.session, self.draft) = (None, None);
    }

    fn mail(&mut self, path: &[u8], extended: bool, at: &Moment<'_>, said: &mut Said) {
        let Some(session) = &mut self.session else { return };
        let shared = &at.host.shared;
        let id = session.mail(&self.begun, shared);
        if session.client.helo.is_none() {
            session.bearing.began_ungreeted();
        }
        if self.heard {
            session.tell_conduct(at, said);
        }
        let mut draft = Draft::new(id, path, extended, session.is_own(), shared.room.share());
        draft.name(self.begun.get(b'M', "i").unwrap_or_default());
        self.draft = Some(draft);
    }

    fn rcpt(&mut self, path: &[u8], at: &Moment<'_>, said: &mut Said) {
        count(&at.host.counters.recipients);
        let (Some(session), Some(draft)) = (&mut self.session, &mut self.draft) else { return };
        draft.asked(at.now);
        if self.begun.get(b'R', "rcpt_mailer") == Some(b"error") {
            return self.rejected(path, at, said);
        }
        if session.is_own() || session.standing == Standing::Relay {
            session.went(true);
            return draft.accept(path);
        }
        let asked = asked(session, draft, path, at);
        let (answer, heard) = answer(&asked, at, &mut said.out);
        if self.heard {
            let persons = &at.host.shared.means.persons;
            let fact = attempt(asked.client, asked.sender, asked.recipient, heard, persons);
            said.seen.push(seen(draft.session, at.now, fact));
        }
        draft.would = draft.would.or(answer.would);
        session.went(is_taken(heard.answered));
        draft.refused |= !is_taken(heard.answered);
        if is_taken(heard.answered) {
            draft.accept(path);
        }
    }

    /// A recipient that the MTA itself refuses; what we answer does not matter. Our own people
    /// mistype, and behind a relay somebody else did.
    fn rejected(&mut self, path: &[u8], at: &Moment<'_>, said: &mut Said) {
        count(&at.host.counters.rejected);
        let (Some(session), Some(draft)) = (&self.session, &mut self.draft) else { return };
        draft.refused = true;
        if self.heard && session.is_stranger() {
            let of = |name| self.begun.get(b'R', name).unwrap_or_default();
            let persons = &at.host.shared.means.persons;
            let fact = rejected(&asked(session, draft, path, at), of("rcpt_host"), of("rcpt_addr"), persons);
            said.seen.push(seen(draft.session, at.now, fact));
        }
    }

    fn field(&mut self, name: &[u8], value: &[u8], at: &Moment<'_>) {
        let leading_space = self.agreed().protocol.has(Protocol::LEADING_SPACE);
        let Some(draft) = &mut self.draft else { return };
        if !draft.field(name, value, leading_space, &at.host.shared.config.mx) {
            at.host.trouble(Trouble::Crowded, &"header");
        }
    }

    fn body(&mut self, piece: &[u8], at: &Moment<'_>, said: &mut Said) {
        let protocol = self.agreed().protocol;
        let may_skip = protocol.has(Protocol::SKIP) && !protocol.is_silent(b'B');
        let Some(draft) = &mut self.draft else { return };
        if !hold(draft, piece, at) && may_skip {
            draft.skip();
            Reply::Skip.write(&mut said.out);
        }
    }

    fn end(&mut self, piece: &[u8], at: &Moment<'_>, said: &mut Said) -> Next {
        let (Some(session), Some(mut draft)) = (&mut self.session, self.draft.take()) else {
            return Next::More;
        };
        hold(&mut draft, piece, at);
        // The next message may be refused for what this one did.
        session.began = at.now;
        session.bearing.delivered();
        if draft.recipients().is_empty() {
            return Next::More;
        }
        count(&at.host.counters.messages);
        if session.is_own() {
            if self.heard {
                sent(&draft, at, said);
            }
            return Next::More;
        }
        let shared = &at.host.shared;
        let (client, through) = session.origin(&draft, shared);
        if self.heard && session.standing == Standing::Relay {
            relayed(&client, &draft, at, said);
        }
        let (tls, mx) = (session.tls.as_ref(), &shared.config.mx);
        let around = Around { client, through, tls, mx, at: at.now, counts: self.heard };
        Next::Inspect(Box::new(draft.whole(around)))
    }
}

/// Takes a piece of a body; `false`, if more of it would not be held either.
fn hold(draft: &mut Draft, piece: &[u8], at: &Moment<'_>) -> bool {
    match draft.body(piece, at.host.shared.config.body_max) {
        Held::All => true,
        Held::Part => false,
        Held::NoRoom => {
            at.host.trouble(Trouble::Crowded, &"body");
            false
        }
    }
}

fn asked<'a>(session: &'a Session, draft: &'a Draft, path: &'a [u8], at: &Moment<'_>) -> Asked<'a> {
    Asked {
        client: &session.client,
        began: session.began,
        sender: &draft.sender,
        recipient: path.strip_prefix(b"<").and_then(|p| p.strip_suffix(b">")).unwrap_or(path),
        queue_id: draft.queue_id(),
        lately: session.lately(at),
        crowded: session.visit.as_ref().is_some_and(Visit::is_turned_away),
    }
}

fn is_taken(answered: Answered) -> bool {
    match answered {
        Answered::Passed | Answered::Exempt | Answered::WouldBlock(_) => true,
        Answered::Blocked(_) | Answered::Refused | Answered::Deferred => false,
    }
}
