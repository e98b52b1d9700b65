//! Doubles, fault injectors, contract suites and stories, for the tests of every crate.
