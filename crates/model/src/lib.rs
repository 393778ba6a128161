//! The words of Mailward: key, observation, finding, sentence, case, standing, event.
