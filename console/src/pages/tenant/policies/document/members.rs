//! The members of each kind of policy: the words for them, their unit and what is allowed.
//!
//! The limits are hints for the person who types; the document's own check is what decides. A member that
//! has no row here would be lost by the form, so a test holds the table complete.

use contract::policies::PolicyKind::{
    self, Authentication, Password, Registration, Session, Token,
};

use self::Shape::{Lines, Mode, Number, Switch};

/// What can be typed for a member.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    /// A whole number: least, most, unit.
    Number(i64, i64, &'static str),
    /// Yes or no; the hint says what it means.
    Switch,
    /// Who may register.
    Mode,
    /// Names, one per line.
    Lines,
}

/// One member of a document.
pub(super) struct Member {
    pub(super) key: &'static str,
    pub(super) label: &'static str,
    pub(super) hint: &'static str,
    pub(super) shape: Shape,
}

/// The members of a kind, in the order in which people read them.
pub(super) fn members(kind: PolicyKind) -> impl Iterator<Item = Member> {
    let rows = TABLE.iter().filter(move |(of, ..)| *of == kind);
    rows.map(|&(_, key, label, shape, hint)| Member {
        key,
        label,
        hint,
        shape,
    })
}

type Row = (PolicyKind, &'static str, &'static str, Shape, &'static str);

/// Kind, member, label, what can be typed, hint.
#[rustfmt::skip]
static TABLE: &[Row] = &[
    (Authentication, "delay_after_failures", "Slow down after", Number(3, 20, "failures in a row"),
        "Each further attempt then has to wait."),
    (Authentication, "block_after_failures", "Block the password after", Number(10, 90, "failures in a row"),
        "Must be more than the number above."),
    (Authentication, "block_minutes", "A blocked password stays blocked for", Number(5, 1440, "minutes"), ""),

    (Password, "min_length", "Minimum length", Number(15, 64, "characters"),
        "15 is the floor while a password is the only proof (NIST SP 800-63B-4)."),
    (Password, "refuse_common", "Refuse common and breached passwords", Switch,
        "Compared with a list that every node carries."),
    (Password, "refuse_context", "Refuse passwords made of names", Switch,
        "Of the tenant, or of the person's own name and address."),

    (Session, "idle_minutes", "Sign out after inactivity of", Number(5, 43_200, "minutes"),
        "Must not be longer than the limit below."),
    (Session, "absolute_hours", "Sign out in any case after", Number(1, 720, "hours"),
        "Counted from the sign-in."),

    (Token, "code_seconds", "Authorization codes live", Number(10, 60, "seconds"), ""),
    (Token, "access_token_seconds", "Access tokens live", Number(60, 600, "seconds"),
        "APIs that only check signatures learn of a revocation when the token ends."),
    (Token, "id_token_seconds", "ID tokens live", Number(60, 3600, "seconds"), ""),
    (Token, "refresh_idle_hours", "Refresh tokens end, unused, after", Number(1, 2160, "hours"),
        "Must not be longer than the limit below."),
    (Token, "refresh_absolute_days", "Refresh tokens end in any case after", Number(1, 365, "days"),
        "Counted from the sign-in."),
    (Token, "refresh_grace_seconds", "A spent refresh token still answers for", Number(0, 30, "seconds"),
        "For answers that got lost on the way. 0 switches it off."),
    (Token, "refuse_unheard_after_seconds", "A node that cannot hear of containments stops after", Number(0, 604_800, "seconds"),
        "0: never; an outage of the control plane then stops nobody. Otherwise at least 10."),

    (Registration, "mode", "Who may create an account", Mode, ""),
    (Registration, "ask_name", "Ask for a name", Switch, "As well as an e-mail address."),
    (Registration, "verify_email", "Prove the e-mail address first", Switch,
        "By mail, before the account exists. Without it, anyone can register an address that is not theirs, and the form tells which addresses have accounts."),
    (Registration, "email_domains", "Only addresses in these domains", Lines,
        "One per line, such as example.com. Empty means every domain."),
];
