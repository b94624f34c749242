//! What real servers answer otherwise than `minibroker`, each with its reason.
