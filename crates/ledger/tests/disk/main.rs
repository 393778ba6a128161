//! The memories on a real disk: what is kept, what is cut, and what is said of it.

#[cfg(test)]
mod backup;
#[cfg(test)]
mod checkpoint;
#[cfg(test)]
mod common;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod decisions;
#[cfg(test)]
mod exhibits;
#[cfg(test)]
mod full;
#[cfg(test)]
mod journal;
#[cfg(test)]
mod retention;
#[cfg(test)]
mod store;
#[cfg(test)]
mod torn;
#[cfg(test)]
mod verify;
