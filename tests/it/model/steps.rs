//! The steps, and how random sequences of them are generated.

use proptest::{collection::vec, prelude::*};

/// The maximum number of steps in a sequence.
const LENGTH: usize = 80;

/// One step. Its numbers select from what exists when it runs, so any part of a sequence is a valid sequence too.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    LogIn { user: u8, password: PasswordChoice },
    Refresh(Refresh),
    Revoke(Refresh),
    LogOut(Caller),
    List(Caller),
    EndSession { caller: Caller, session: u8 },
    EndOthers(Caller),
    ChangePassword { caller: Caller, current: PasswordChoice, new: u8 },
    Operator { session: u8, operation: Operation },
    CleanUp,
    Advance(Span),
}

/// The password that a client sends.
#[derive(Clone, Copy, Debug)]
pub(super) enum PasswordChoice {
    Correct,
    Any(u8),
}

/// A refresh token to use.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refresh {
    /// Counted from the newest session.
    pub(super) session: u8,
    pub(super) age: Age,
}

/// Which refresh token of a session.
#[derive(Clone, Copy, Debug)]
pub(super) enum Age {
    Current,
    Previous,
    Older(u8),
}

/// An access token to use.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caller {
    /// Counted from the newest session.
    pub(super) session: u8,
    /// Counted from the newest token.
    pub(super) token: u8,
}

/// What an operator does to the user of a session.
#[derive(Clone, Copy, Debug)]
pub(super) enum Operation {
    /// Disables the user, or enables them if they are disabled.
    Toggle,
    Delete,
    Create(u8),
    SetPassword(u8),
}

/// How much time passes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Span {
    Seconds(u8),
    /// Until a boundary of a session, or a second before or after it.
    Until {
        session: u8,
        what: Boundary,
        later: i8,
    },
}

/// A point in time at which something expires.
#[derive(Clone, Copy, Debug)]
pub(super) enum Boundary {
    Grace,
    Access,
    Idle,
    Lifetime,
}

fn password_choice() -> impl Strategy<Value = PasswordChoice> {
    prop_oneof![4 => Just(PasswordChoice::Correct), 1 => any::<u8>().prop_map(PasswordChoice::Any)]
}

/// Newer sessions are selected more often.
fn session() -> impl Strategy<Value = u8> {
    prop_oneof![4 => 0..4_u8, 1 => any::<u8>()]
}

fn refresh() -> impl Strategy<Value = Refresh> {
    let age = prop_oneof![8 => Just(Age::Current), 4 => Just(Age::Previous), 1 => any::<u8>().prop_map(Age::Older)];
    (session(), age).prop_map(|(session, age)| Refresh { session, age })
}

fn caller() -> impl Strategy<Value = Caller> {
    let token = prop_oneof![3 => Just(0), 1 => any::<u8>()];
    (session(), token).prop_map(|(session, token)| Caller { session, token })
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        6 => Just(Operation::Toggle),
        2 => Just(Operation::Delete),
        5 => any::<u8>().prop_map(Operation::Create),
        1 => any::<u8>().prop_map(Operation::SetPassword),
    ]
}

fn span() -> impl Strategy<Value = Span> {
    let what = prop_oneof![
        8 => Just(Boundary::Grace),
        4 => Just(Boundary::Access),
        2 => Just(Boundary::Idle),
        2 => Just(Boundary::Lifetime),
    ];
    prop_oneof![
        1 => any::<u8>().prop_map(Span::Seconds),
        // Steps before the boundary are more frequent, because little is left to do after it.
        4 => (session(), what, prop_oneof![3 => Just(-1), 2 => Just(0), 1 => Just(1)])
            .prop_map(|(session, what, later)| Span::Until { session, what, later }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (any::<u8>(), password_choice()).prop_map(|(user, password)| Step::LogIn { user, password }),
        24 => refresh().prop_map(Step::Refresh),
        2 => refresh().prop_map(Step::Revoke),
        2 => caller().prop_map(Step::LogOut),
        2 => caller().prop_map(Step::List),
        3 => (caller(), session()).prop_map(|(caller, session)| Step::EndSession { caller, session }),
        2 => caller().prop_map(Step::EndOthers),
        3 => (caller(), password_choice(), any::<u8>())
            .prop_map(|(caller, current, new)| Step::ChangePassword { caller, current, new }),
        6 => (session(), operation()).prop_map(|(session, operation)| Step::Operator { session, operation }),
        1 => Just(Step::CleanUp),
        12 => span().prop_map(Step::Advance),
    ]
}

/// Generates sequences. Each step has the index of the instance that handles it.
pub(super) fn sequences() -> impl Strategy<Value = Vec<(u8, Step)>> {
    vec((0..2_u8, step()), 1..=LENGTH)
}
