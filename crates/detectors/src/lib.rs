//! Judgement: from an observation to a finding, one file per offence.
