//! Lists of networks that are asked for one address: sorted, and apart from each other.

use model::Prefix;

/// Brings networks into the form in which they are asked: in order, none within another.
#[must_use]
pub fn apart(mut networks: Vec<Prefix>) -> Vec<Prefix> {
    // A network stands before what lies in it.
    networks.sort_unstable();
    let mut kept: Vec<Prefix> = Vec::with_capacity(networks.len());
    for network in networks {
        if !kept.last().is_some_and(|last| last.covers(network)) {
            kept.push(network);
        }
    }
    kept
}

/// Whether one of `networks`, which are [`apart`], shares an address with `prefix`.
pub fn touch(networks: &[Prefix], prefix: Prefix) -> bool {
    let next = networks.partition_point(|network| *network <= prefix);
    // What holds the prefix is the last one that begins no later: anything between would lie
    // within it.
    let before = next.checked_sub(1).is_some_and(|last| networks[last].overlaps(prefix));
    before || networks.get(next).is_some_and(|network| prefix.covers(*network))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nets(text: &str) -> Vec<Prefix> {
        text.split_whitespace().map(|net| net.parse().unwrap()).collect()
    }

    #[test]
    fn what_lies_in_another_network_is_left_out() {
        let mixed = "2001:db8:1::/48 192.0.2.128/25 192.0.2.0/24 2001:db8::/32 198.51.100.7 192.0.2.0/24";
        assert_eq!(apart(nets(mixed)), nets("192.0.2.0/24 198.51.100.7 2001:db8::/32"));
        assert_eq!(apart(Vec::new()), []);
    }

    #[test]
    fn a_prefix_is_touched_by_what_holds_it_and_by_what_lies_in_it() {
        let list = apart(nets("192.0.2.0/25 198.51.100.64/26 203.0.113.7 2001:db8::/48"));
        let touched = |text: &str| touch(&list, text.parse().unwrap());
        for inside in ["192.0.2.0", "192.0.2.127", "198.51.100.64/30", "203.0.113.7", "2001:db8:0:9::/64"] {
            assert!(touched(inside), "{inside}");
        }
        for holding in ["192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "0.0.0.0/0", "2001:db8::/32"] {
            assert!(touched(holding), "{holding}");
        }
        for apart in ["192.0.2.128", "198.51.100.0/26", "203.0.113.8", "2001:db8:1::/48", "::/96"] {
            assert!(!touched(apart), "{apart}");
        }
        assert!(!touch(&[], "0.0.0.0/0".parse().unwrap()));
    }
}
