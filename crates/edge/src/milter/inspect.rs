//! Waiting for an inspector, and telling the MTA that we wait.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::Poll;

use model::Letter;
use tokio::time::{Instant, sleep, sleep_until};
use wire::milter::Reply;

use super::host::Host;
use super::trouble::Trouble;
use super::{About, Ending, Inspection};
use crate::pipe::{Lost, Pipe};
use crate::service::Stream;

/// A panic was caught; what it said is in the log of the panic hook.
struct Panicked;

type Work = Pin<Box<dyn Future<Output = Ending> + Send>>;

/// How a message ends: as its inspector says, and well, if it says nothing in time.
pub(super) async fn inspect<S: Stream>(
    letter: Letter,
    about: About,
    host: &Host,
    pipe: &mut Pipe<S>,
) -> Result<Ending, Lost> {
    let Some(inspector) = &host.shared.config.inspector else { return Ok(Ending::default()) };
    let begun = catch_unwind(AssertUnwindSafe(|| inspector.inspect(letter, about)));
    let ended = match begun {
        Ok(Inspection::Done(ending)) => Ok(ending),
        Ok(Inspection::Pending(work)) => wait(work, host, pipe).await?,
        Err(_) => Err(Panicked),
    };
    Ok(ended.unwrap_or_else(|Panicked| {
        host.trouble(Trouble::Panicked, &"see the panic before this line");
        Ending::default()
    }))
}

async fn wait<S: Stream>(
    mut work: Work,
    host: &Host,
    pipe: &mut Pipe<S>,
) -> Result<Result<Ending, Panicked>, Lost> {
    let config = &host.shared.config;
    let until = Instant::now() + config.inspect_max;
    let mut progress = Vec::new();
    Reply::Progress.write(&mut progress);
    loop {
        tokio::select! {
            biased;
            ended = guarded(&mut work) => return Ok(ended),
            () = sleep_until(until) => {
                host.trouble(Trouble::Overdue, &"the message passes");
                return Ok(Ok(Ending::default()));
            }
            () = sleep(config.progress) => pipe.write(&progress).await?,
        }
    }
}

/// The work's end; a panic in it is one, too.
async fn guarded(work: &mut Work) -> Result<Ending, Panicked> {
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
        Ok(poll) => poll.map(Ok),
        Err(_) => Poll::Ready(Err(Panicked)),
    })
    .await
}
