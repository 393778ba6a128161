//! The switch `dns.xdp`: questions straight from an interface, beside the sockets.
//!
//! One thread for each receiving queue of the interface hands what comes to a
//! [`Responder`], as the threads of the sockets do. What the program on the interface lets
//! pass comes to the sockets as ever, and where there can be no program all of it does: the
//! log then says why.

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::ahead::{AHEAD, Ahead};
use super::responder::{Responder, Transport};
use crate::xdp::{Counters, Filter, Interface, Queue, Side, XdpError, open};

/// How often a sleeping thread looks whether it shall stop.
const LOOK: Duration = Duration::from_millis(100);

/// Threads that answer, until they are dropped; the program on the interface goes with them.
pub(super) struct Threads {
    threads: Vec<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
    counters: Option<Arc<Counters>>,
}

impl Threads {
    /// Starts a thread for each queue of the interface `name`, if that can be; says in the
    /// log what came of it.
    pub(super) fn start(name: &str, listeners: &[SocketAddr], made: &mut impl FnMut() -> Responder) -> Self {
        let mut running = Self { threads: Vec::new(), stop: Arc::default(), counters: None };
        match queues(name, listeners) {
            Ok((filter, queues)) => running.serve(name, &filter, queues, made),
            Err(error) => {
                let reason = error.to_string();
                tracing::warn!(interface = name, reason, "dns.xdp is not used, the sockets answer all");
            }
        }
        running
    }

    fn serve(
        &mut self,
        name: &str,
        filter: &Filter,
        queues: Vec<Queue>,
        made: &mut impl FnMut() -> Responder,
    ) {
        let copies = !queues.first().is_some_and(Queue::copies_nothing);
        let (count, port, addresses) = (queues.len(), filter.port, &filter.addresses);
        tracing::info!(interface = name, queues = count, copies, port, ?addresses, "dns.xdp is in use");
        self.counters = queues.first().map(Queue::counters);
        for (index, queue) in queues.into_iter().enumerate() {
            let (responder, stop) = (made(), self.stop.clone());
            let thread = thread::Builder::new().name(format!("dns-xdp-{index}"));
            match thread.spawn(move || serve(queue, responder, &stop)) {
                Ok(thread) => self.threads.push(thread),
                // The queue is closed with its thread, and what comes on it passes to the sockets.
                Err(error) => tracing::error!(%error, queue = index, "a thread for dns.xdp was not started"),
            }
        }
    }

    /// Frames taken, and those among them that held no whole datagram.
    pub(super) fn counts(&self) -> (u64, u64) {
        let read = |counters: &Arc<Counters>| {
            (counters.taken.load(Ordering::Relaxed), counters.faulty.load(Ordering::Relaxed))
        };
        self.counters.as_ref().map_or((0, 0), read)
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!(server = "dns", "answering thread panicked");
            }
        }
    }
}

/// The queues of an interface, for those listeners whose address it has. One port is enough
/// for a name server: the first listener's there.
fn queues(name: &str, listeners: &[SocketAddr]) -> Result<(Filter, Vec<Queue>), XdpError> {
    let interface = Interface::read(name)?;
    let addresses = interface.listened(listeners);
    let port = listeners.iter().find(|listener| addresses.contains(&listener.ip())).map(SocketAddr::port);
    let Some(port) = port else { return Err(XdpError::NoAddress { name: name.to_owned() }) };
    let of_port: Vec<_> = listeners.iter().copied().filter(|listener| listener.port() == port).collect();
    let filter = Filter { port, side: Side::To, addresses: interface.listened(&of_port) };
    let queues = open(&interface, &filter)?;
    Ok((filter, queues))
}

/// Answers until it shall stop. A panic closes the queue, and what comes on it then passes to
/// the sockets.
fn serve(queue: Queue, responder: Responder, stop: &AtomicBool) {
    if catch_unwind(AssertUnwindSafe(|| answer(queue, responder, stop))).is_err() {
        tracing::error!(server = "dns", "answering panicked; the sockets answer what came on this queue");
    }
}

fn answer(mut queue: Queue, mut responder: Responder, stop: &AtomicBool) {
    while !stop.load(Ordering::Acquire) {
        let taken = responder.at_once(|responder, at| {
            let mut ahead = Ahead::default();
            queue.look(AHEAD, |question| ahead.add(question));
            ahead.read(at);
            queue.turn(AHEAD, |question, from, answer| {
                responder.answer(at, question, from, Transport::Udp, answer)
            })
        });
        if taken == 0 {
            queue.wait(LOOK);
        }
    }
}
