//! Faults on demand (being written).

/// To come.
#[derive(Debug)]
pub struct FaultEnv;
/// To come.
#[derive(Debug)]
pub struct FaultKind;
/// To come.
#[derive(Debug)]
pub struct FaultRule;
/// To come.
#[derive(Debug)]
pub struct Operation;
