//! Access control, derived from the document: every operation is called by every kind of caller, and the identity comes
//! only from the credential. The suffix of a test name is the ID of the security check that it covers.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use vestibule::domain::admin::users::{delete_user, disable_user};

use crate::support::{
    TestApp,
    client::{Call, TestResponse},
    contract::{OperationInfo, UNKNOWN_ID, operations, with_parameters},
    document, forge,
};

const PASSWORD: &str = "my_password";

/// The kinds of callers. Each caller is its own user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CallerKind {
    /// A client without a user or a token.
    Anonymous,
    /// A signed-in user.
    User,
    /// A signed-in user whose request names an object of another user.
    OtherUser,
    /// A user who was disabled while signed in.
    Disabled,
    /// A user whose session was revoked.
    EndedSession,
    /// A signed-in user with an expired access token.
    ExpiredToken,
    /// A signed-in user who sends the refresh token as the access token.
    RefreshTokenAsBearer,
    /// A user who was deleted while signed in.
    Deleted,
}

/// The columns of the table.
const CALLER_KINDS: [CallerKind; 8] = [
    CallerKind::Anonymous,
    CallerKind::User,
    CallerKind::OtherUser,
    CallerKind::Disabled,
    CallerKind::EndedSession,
    CallerKind::ExpiredToken,
    CallerKind::RefreshTokenAsBearer,
    CallerKind::Deleted,
];

/// The expected responses, in the order of [`CALLER_KINDS`]: the status, and the code of a problem.
type Row = (&'static str, [&'static str; CALLER_KINDS.len()]);

const MISSING: &str = "401 missing_token";
const INVALID: &str = "401 invalid_token";
const WRONG: &str = "401 invalid_credentials";
const UNKNOWN: &str = "404 not_found";

/// The row of an operation that requires an access token: the responses for the owner of the object and for other
/// users.
const fn needs_token(own: &'static str, foreign: &'static str) -> [&'static str; CALLER_KINDS.len()] {
    [MISSING, own, foreign, INVALID, INVALID, INVALID, INVALID, INVALID]
}

/// The access table: one row for each operation of the document. The body contains the caller's own name, password and
/// refresh token. The path names a session of the caller, or of another user for [`CallerKind::OtherUser`].
const TABLE: [Row; 13] = [
    ("login", [WRONG, "200", "200", WRONG, "200", "200", "200", WRONG]),
    ("refreshToken", [INVALID, "200", "200", INVALID, INVALID, "200", "200", INVALID]),
    ("revokeToken", ["204"; CALLER_KINDS.len()]),
    ("logout", needs_token("204", "204")),
    ("register", ["201"; CALLER_KINDS.len()]),
    ("getMe", needs_token("200", "200")),
    ("changePassword", needs_token("204", "204")),
    ("listSessions", needs_token("200", "200")),
    ("endOtherSessions", needs_token("204", "204")),
    ("endSession", needs_token("204", UNKNOWN)),
    ("getJwks", ["200"; CALLER_KINDS.len()]),
    ("getLiveness", ["200"; CALLER_KINDS.len()]),
    ("getReadiness", ["200"; CALLER_KINDS.len()]),
];

/// Returns the faults of a table, as messages that say how to fix them.
fn table_faults(operations: &[&str], rows: &[&str]) -> Vec<String> {
    let missing = operations.iter().filter(|id| !rows.contains(id)).map(|id| {
        format!("the operation {id} has no row in the table of tests/it/access_control.rs: add what each kind of caller gets")
    });
    let stray = rows.iter().filter(|id| !operations.contains(id));
    let stray =
        stray.map(|id| format!("the row {id} of tests/it/access_control.rs belongs to no operation: remove it"));
    let twice = rows.iter().enumerate().filter(|(place, id)| rows[..*place].contains(id));
    let twice =
        twice.map(|(_, id)| format!("the operation {id} has two rows in tests/it/access_control.rs: remove one"));
    missing.chain(stray).chain(twice).collect()
}

/// Returns the table after checking that it is complete.
fn rows() -> Vec<(OperationInfo, [&'static str; CALLER_KINDS.len()])> {
    let operations = operations();
    let ids: Vec<_> = operations.iter().map(|operation| operation.id.as_str()).collect();
    let faults = table_faults(&ids, &TABLE.map(|(id, _)| id));
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let expected = |id: &str| TABLE.iter().find(|(row, _)| *row == id).unwrap().1;
    operations.iter().map(|operation| (operation.clone(), expected(&operation.id))).collect()
}

/// A caller.
struct Caller {
    name: String,
    id: String,
    bearer: Option<String>,
    refresh: String,
    /// Another session of the same user, for paths to name.
    elsewhere: String,
    elsewhere_token: String,
}

impl Caller {
    /// Creates a caller of this kind. The clock advances if a token has to expire.
    async fn new(app: &TestApp, kind: CallerKind) -> Self {
        let name = format!("{kind:?}{}", app.count("user").await);
        if kind == CallerKind::Anonymous {
            let nothing = || UNKNOWN_ID.to_owned();
            let (id, elsewhere) = (nothing(), nothing());
            return Self { name, id, bearer: None, refresh: nothing(), elsewhere, elsewhere_token: nothing() };
        }
        let user = app.create_user(&name, PASSWORD).await;
        let (here, elsewhere) = (app.sign_in(&name, PASSWORD).await, app.sign_in(&name, PASSWORD).await);
        match kind {
            CallerKind::Disabled => drop(disable_user(&app.app, user.id).await.unwrap()),
            CallerKind::Deleted => delete_user(&app.app, user.id).await.unwrap(),
            CallerKind::EndedSession => {
                assert_eq!(app.post("/logout").bearer(&here.access).send().await.status, 204);
            }
            CallerKind::ExpiredToken => app.advance(605),
            CallerKind::Anonymous | CallerKind::User | CallerKind::OtherUser | CallerKind::RefreshTokenAsBearer => {}
        }
        let bearer = if kind == CallerKind::RefreshTokenAsBearer { &here.refresh } else { &here.access };
        Self {
            name,
            id: user.id.to_string(),
            bearer: Some(bearer.clone()),
            refresh: here.refresh.clone(),
            elsewhere: forge::decode_part(&elsewhere.access, 1)["sid"].as_str().unwrap().to_owned(),
            elsewhere_token: elsewhere.access,
        }
    }

    /// Returns the example body of an operation with this caller's credentials. Registration gets a new name.
    fn body(&self, operation: &OperationInfo) -> Option<Value> {
        let mut body = operation.example.clone()?;
        let name = if operation.id == "register" { format!("{}.new", self.name) } else { self.name.clone() };
        for (member, value) in [
            ("username", name.as_str()),
            ("password", PASSWORD),
            ("current_password", PASSWORD),
            ("refresh_token", &self.refresh),
        ] {
            if body.get(member).is_some() {
                body[member] = value.into();
            }
        }
        Some(body)
    }

    /// Builds this caller's request. The path names an object of `owner`.
    fn call(&self, app: &TestApp, operation: &OperationInfo, owner: &Self, query: &str) -> Call {
        let url = with_parameters(&operation.path, &owner.elsewhere);
        let call = app.call(&operation.method, &format!("{url}{query}"));
        match &self.bearer {
            Some(token) => call.bearer(token),
            None => call,
        }
    }

    /// Returns whether nothing has changed for this user.
    async fn is_untouched(&self, app: &TestApp) -> bool {
        app.accepts(&self.elsewhere_token).await && app.accepts(&app.access_token(&self.name, PASSWORD).await).await
    }
}

fn with_body(call: Call, body: Option<&Value>) -> Call {
    match body {
        Some(body) => call.json(body),
        None => call,
    }
}

fn status_and_code(response: &TestResponse) -> String {
    format!("{} {}", response.status, response.code()).trim_end().to_owned()
}

#[apply(trial)]
async fn every_operation_responds_to_every_caller_as_the_table_says_s105_s106() {
    let app = TestApp::new().await;
    for (operation, expected) in rows() {
        for (kind, expected) in CALLER_KINDS.into_iter().zip(expected) {
            let caller = Caller::new(&app, kind).await;
            let victim = Caller::new(&app, CallerKind::User).await;
            let owner = if kind == CallerKind::OtherUser { &victim } else { &caller };
            let call = with_body(caller.call(&app, &operation, owner, ""), caller.body(&operation).as_ref());
            let response = call.send().await;
            assert_eq!(status_and_code(&response), expected, "{} by {kind:?}: {response:?}", operation.id);
            assert!(victim.is_untouched(&app).await, "{} by {kind:?} changed another user", operation.id);
        }
    }
}

#[apply(trial)]
async fn missing_and_stray_table_rows_are_detected() {
    let rows = TABLE.map(|(id, _)| id);
    let known = operations();
    let mut ids: Vec<_> = known.iter().map(|operation| operation.id.as_str()).collect();
    assert_eq!(table_faults(&ids, &rows), Vec::<String>::new());
    assert!(table_faults(&ids, &[&rows[..], &["login"]].concat())[0].contains("login has two rows"));
    assert!(table_faults(&ids, &rows[1..])[0].contains("login has no row"));
    ids.retain(|id| *id != "getMe");
    assert!(table_faults(&ids, &rows)[0].contains("getMe of tests/it/access_control.rs belongs to no operation"));
}

/// Names under which a request might claim an identity or a role.
const CLAIMS: [&str; 8] = ["user_id", "userId", "sub", "username", "account", "role", "is_admin", "sid"];

#[apply(trial)]
async fn identity_comes_only_from_the_credential_s107() {
    let app = TestApp::new().await;
    for (operation, expected) in rows() {
        let id = &operation.id;
        let victim = Caller::new(&app, CallerKind::OtherUser).await;
        let claimed = |name: &str| match name {
            "username" | "account" => victim.name.clone(),
            "role" => "admin".to_owned(),
            "is_admin" => "true".to_owned(),
            "sid" => victim.elsewhere.clone(),
            _ => victim.id.clone(),
        };
        for name in CLAIMS.iter().filter(|name| !operation.strings.contains(&format!("/{name}"))) {
            let caller = Caller::new(&app, CallerKind::User).await;
            let Some(mut body) = caller.body(&operation) else { continue };
            body[*name] = claimed(name).into();
            let response = caller.call(&app, &operation, &caller, "").json(&body).send().await;
            response.is_problem(400, "invalid_request");
            assert_eq!(response.errors(), [(format!("/{name}"), "unknown".to_owned())], "{id}");
        }
        let caller = Caller::new(&app, CallerKind::User).await;
        let query: Vec<_> = CLAIMS.iter().map(|name| format!("{name}={}", claimed(name))).collect();
        let mut call = caller.call(&app, &operation, &caller, &format!("?{}", query.join("&")));
        for header in ["x-user-id", "x-forwarded-user", "x-remote-user", "x-authenticated-userid"] {
            call = call.header(header, &victim.id);
        }
        // A body that the operation does not expect is not read.
        let claims = json!({ "user_id": victim.id, "username": victim.name, "role": "admin" });
        let response = call.json(&caller.body(&operation).unwrap_or(claims)).send().await;
        assert_eq!(status_and_code(&response), expected[1], "{id}: {response:?}");
        let is_leaked = [&victim.id, &victim.name, &victim.elsewhere].iter().any(|part| response.text.contains(*part));
        assert!(!is_leaked && victim.is_untouched(&app).await, "{id}: {response:?}");
    }
}

#[apply(trial)]
async fn protected_members_are_rejected_s104() {
    let app = TestApp::new().await;
    for operation in operations() {
        for name in ["id", "created_at", "state", "disabled", "verified", "email_verified", "password_hash", "counter"]
        {
            let caller = Caller::new(&app, CallerKind::User).await;
            let Some(mut body) = caller.body(&operation) else { continue };
            body[name] = "1".into();
            let response = caller.call(&app, &operation, &caller, "").json(&body).send().await;
            response.is_problem(400, "invalid_request");
            assert_eq!(response.errors(), [(format!("/{name}"), "unknown".to_owned())], "{}", operation.id);
        }
    }
}

/// Authorization headers that are not valid bearer credentials. Some contain a valid token.
fn odd_headers(token: &str) -> Vec<Vec<u8>> {
    let texts = [
        "",
        " ",
        ",",
        "=",
        "Bearer",
        "Bearer ",
        "Bearer  ",
        "bearer\t",
        "Bearer:",
        "Bearer,",
        "Bearer null",
        "Bearer undefined",
        "Bearer a b",
        "Bearer ..",
        "Basic am9objpteV9wYXNzd29yZA==",
        "Basic",
        "Digest username=\"john\"",
        "Negotiate",
        "None",
        "true",
    ];
    let with_token = [
        token.to_owned(),
        format!("Bearer{token}"),
        format!("Bearer\t{token}"),
        format!("Bearer \"{token}\""),
        format!("Bearer {token},"),
        format!("Bearer {token} {token}"),
        format!("Bearer {token}\u{e9}"),
        format!("Bearer token={token}"),
        format!("Token {token}"),
        format!("Basic {token}"),
        format!("Bearer Bearer {token}"),
    ];
    let bytes = [b"Bearer \xff\xfe".to_vec(), b"\xff".to_vec()];
    texts.iter().map(|text| text.as_bytes().to_vec()).chain(with_token.map(String::into_bytes)).chain(bytes).collect()
}

#[apply(trial)]
async fn malformed_authorization_is_401_everywhere_s86() {
    let app = TestApp::new().await;
    let caller = Caller::new(&app, CallerKind::User).await;
    let token = caller.bearer.clone().unwrap();
    for operation in operations().iter().filter(|operation| operation.requires_token) {
        let call = || with_body(app.call(&operation.method, &operation.url), caller.body(operation).as_ref());
        let odd = odd_headers(&token).into_iter().map(|value| call().header("authorization", value));
        let twice = [call().bearer(&token).bearer(&token), call().bearer(&token).header("authorization", "Basic eA==")];
        for call in odd.chain(twice) {
            let response = call.send().await;
            assert!(matches!(response.code(), "missing_token" | "invalid_token"), "{}: {response:?}", operation.id);
            assert!(response.header("www-authenticate").starts_with("Bearer realm=\"vestibule\""), "{response:?}");
        }
    }
    assert!(caller.is_untouched(&app).await);
}

#[apply(trial)]
async fn identifiers_are_random_s20() {
    let app = TestApp::new().await;
    let mut ids = BTreeSet::new();
    for _ in 0..10 {
        let caller = Caller::new(&app, CallerKind::User).await;
        ids.extend([caller.id, caller.elsewhere]);
    }
    let random = regex::Regex::new("^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$").unwrap();
    assert!(ids.len() == 20 && ids.iter().all(|id| random.is_match(id)), "{ids:?}");
}

#[apply(trial)]
async fn no_operation_redirects_s85() {
    for operation in document().value["paths"].as_object().unwrap().values().flat_map(|path| path.as_object().unwrap())
    {
        let statuses = operation.1["responses"].as_object().unwrap();
        assert!(statuses.keys().all(|status| !status.starts_with('3')), "{}: {statuses:?}", operation.0);
    }
    let targets = regex::Regex::new("redirect|callback|return|next|continue|ur[il]$").unwrap();
    for operation in operations() {
        assert!(!operation.strings.iter().any(|name| targets.is_match(name)), "{}", operation.id);
    }
}
