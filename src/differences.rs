#![doc = include_str!("../tests/comparison/differences.md")]
