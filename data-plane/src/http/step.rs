//! What has to happen next before a client gets its code. Pure: no store, no clock, no browser.
//!
//! The order is fixed: sign in, then agree, then answer. Everything a person did inside this attempt is
//! remembered in [`Progress`], so that `prompt=login` asks once and not for ever.

use chrono::{DateTime, Utc};
use contract::ids::{SessionId, UserId};

use super::{error::ErrorCode, request::Authorization};

/// The next thing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Show the sign-in page.
    SignIn,
    /// Show the consent page.
    Consent,
    /// Answer with a code.
    Issue,
    /// Answer with this error; only for `prompt=none`.
    Refuse(ErrorCode),
}

/// Who is signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignedIn {
    /// The session.
    pub session: SessionId,
    /// The person.
    pub user: UserId,
    /// When the password was asked for.
    pub auth_time: DateTime<Utc>,
}

/// What the person did inside this attempt.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// The session begun by signing in here.
    pub signed_in: Option<SessionId>,
    /// Whether "Allow" was pressed here.
    pub allowed: bool,
}

/// What is known about the client's standing with this person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The application belongs to the tenant itself.
    pub first_party: bool,
    /// The person is asked every time, whatever was decided before; see [`super::trust`].
    pub asks_always: bool,
    /// An earlier decision covers every requested scope.
    pub remembered: bool,
    /// The person an `id_token_hint` names, if the request has a valid one.
    pub expected: Option<UserId>,
}

/// Decides.
pub fn next(
    request: &Authorization,
    who: Option<&SignedIn>,
    standing: &Standing,
    progress: &Progress,
    now: DateTime<Utc>,
) -> Step {
    let silent = request.prompt.none;
    if !is_signed_in_well_enough(request, who, standing, progress, now) {
        return if silent {
            Step::Refuse(ErrorCode::LoginRequired)
        } else {
            Step::SignIn
        };
    }
    let agreed = progress.allowed
        || (!request.prompt.consent
            && !standing.asks_always
            && (standing.first_party || standing.remembered));
    match (agreed, silent) {
        (true, _) => Step::Issue,
        (false, true) => Step::Refuse(ErrorCode::ConsentRequired),
        (false, false) => Step::Consent,
    }
}

fn is_signed_in_well_enough(
    request: &Authorization,
    who: Option<&SignedIn>,
    standing: &Standing,
    progress: &Progress,
    now: DateTime<Utc>,
) -> bool {
    let Some(who) = who else { return false };
    if standing
        .expected
        .is_some_and(|expected| expected != who.user)
    {
        return false;
    }
    if progress.signed_in == Some(who.session) {
        return true;
    }
    let too_old = request
        .max_age
        .is_some_and(|max_age| now - who.auth_time > chrono::Duration::seconds(max_age.into()));
    // max_age=0 asks for a fresh sign-in in every case (OpenID Connect Core 1.0 §3.1.2.1).
    !(request.prompt.login
        || request.prompt.select_account
        || too_old
        || request.max_age == Some(0))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use chrono::{Duration, TimeZone};
    use contract::ids::TypedId;
    use uuid::Uuid;

    use super::*;
    use crate::http::{request::Prompt, target::Target};

    const SESSION: u128 = 1;

    fn request(prompt: &str, max_age: Option<u32>) -> Authorization {
        Authorization {
            target: Target {
                scopes: BTreeSet::new(),
                audience: None,
            },
            code_challenge: String::new(),
            nonce: None,
            prompt: Prompt {
                none: prompt == "none",
                login: prompt == "login",
                consent: prompt == "consent",
                select_account: prompt == "select_account",
            },
            max_age,
            login_hint: None,
            id_token_hint: None,
        }
    }

    fn standing(flags: &str) -> Standing {
        Standing {
            first_party: flags.contains("first"),
            asks_always: flags.contains("native"),
            remembered: flags.contains("known"),
            expected: flags
                .contains("hint")
                .then(|| UserId::from_uuid(Uuid::from_u128(99))),
        }
    }

    #[test]
    fn every_combination_that_matters_r_authz_06_r_authz_07_r_cons_03() {
        let now = Utc.timestamp_opt(1_000_000, 0).unwrap();
        let session = SessionId::from_uuid(Uuid::from_u128(SESSION));
        let old = SignedIn {
            session,
            user: UserId::from_uuid(Uuid::from_u128(2)),
            auth_time: now - Duration::seconds(100),
        };
        let (nobody, here) = (None, Some(&old));
        let login = Step::Refuse(ErrorCode::LoginRequired);
        let consent = Step::Refuse(ErrorCode::ConsentRequired);
        #[rustfmt::skip]
        let table = [
            // prompt, max_age, who, standing, signed in here, allowed here, step
            ("",               None,      nobody, "known",        false, false, Step::SignIn),
            ("none",           None,      nobody, "known",        false, false, login),
            ("",               None,      here,   "known",        false, false, Step::Issue),
            ("none",           None,      here,   "known",        false, false, Step::Issue),
            ("none",           None,      here,   "",             false, false, consent),
            ("",               None,      here,   "",             false, false, Step::Consent),
            ("",               None,      here,   "",             false, true,  Step::Issue),
            ("",               None,      here,   "first",        false, false, Step::Issue),
            ("login",          None,      here,   "known",        false, false, Step::SignIn),
            ("login",          None,      here,   "known",        true,  false, Step::Issue),
            ("select_account", None,      here,   "known",        false, false, Step::SignIn),
            ("select_account", None,      here,   "known",        true,  false, Step::Issue),
            ("consent",        None,      here,   "known",        false, false, Step::Consent),
            ("consent",        None,      here,   "first",        false, false, Step::Consent),
            ("consent",        None,      here,   "known",        false, true,  Step::Issue),
            ("",               Some(99),  here,   "known",        false, false, Step::SignIn),
            ("",               Some(100), here,   "known",        false, false, Step::Issue),
            ("",               Some(99),  here,   "known",        true,  false, Step::Issue),
            ("none",           Some(99),  here,   "known",        false, false, login),
            ("",               Some(0),   here,   "known",        false, false, Step::SignIn),
            ("",               None,      here,   "known native", false, false, Step::Consent),
            ("",               None,      here,   "first native", false, false, Step::Consent),
            ("none",           None,      here,   "known native", false, false, consent),
            ("",               None,      here,   "known native", false, true,  Step::Issue),
            ("",               None,      here,   "known hint",   false, false, Step::SignIn),
            ("none",           None,      here,   "known hint",   false, false, login),
        ];
        for (prompt, max_age, who, flags, signed_in, allowed, expected) in table {
            let progress = Progress {
                signed_in: signed_in.then_some(session),
                allowed,
            };
            let step = next(
                &request(prompt, max_age),
                who,
                &standing(flags),
                &progress,
                now,
            );
            assert_eq!(step, expected, "{prompt} {max_age:?} {flags} {progress:?}");
        }
    }
}
