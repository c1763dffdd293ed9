//! The gate by its public interface.

mod approvals;
mod generated;
mod normalise;
mod policy;
mod properties;
mod support;
mod totals;
