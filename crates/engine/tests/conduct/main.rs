//! What a postmaster may expect of the engine, rule by rule, told as small stories.

#[cfg(test)]
mod backscatter;
#[cfg(test)]
mod bots;
#[cfg(test)]
mod clock;
#[cfg(test)]
mod determinism;
#[cfg(test)]
mod dictionary;
#[cfg(test)]
mod domain_blocks;
#[cfg(test)]
mod domains;
#[cfg(test)]
mod evidence;
#[cfg(test)]
mod floods;
#[cfg(test)]
mod greylist;
#[cfg(test)]
mod growth;
#[cfg(test)]
mod guards;
#[cfg(test)]
mod hash_flood;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod joins;
#[cfg(test)]
mod lessons;
#[cfg(test)]
mod lifts;
#[cfg(test)]
mod mailboxes;
#[cfg(test)]
mod memory;
#[cfg(test)]
mod messages;
#[cfg(test)]
mod modes;
#[cfg(test)]
mod names;
#[cfg(test)]
mod networks;
#[cfg(test)]
mod poison;
#[cfg(test)]
mod records;
#[cfg(test)]
mod reports;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod sensors;
#[cfg(test)]
mod sentences;
#[cfg(test)]
mod standing;
#[cfg(test)]
mod vectors;
#[cfg(test)]
mod warm_up;
#[cfg(test)]
mod world;
