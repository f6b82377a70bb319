//! What calls have in common that fail in ways that are expected.

use support::wait::Failure;

use super::Ec2Error;

/// The result of a dry run: EC2 answers one that would succeed with an error of its own.
pub(super) fn dry_run<T>(asked: Result<T, Ec2Error>) -> Result<(), Ec2Error> {
    match asked {
        Err(error) if !error.is(&["DryRunOperation"]) => Err(error),
        _ => Ok(()),
    }
}

/// The error of an action that was tried until its time was over, or failed for good.
pub(super) fn timed_out(
    failure: Failure<Ec2Error>,
    action: &'static str,
    region: &str,
) -> Ec2Error {
    match failure {
        Failure::Permanent(error) => error,
        Failure::Transient(last) => Ec2Error::new(action, region, last),
    }
}
