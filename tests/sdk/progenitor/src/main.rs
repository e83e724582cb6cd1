//! A round trip with the client of progenitor: program URL live|stub
#![deny(warnings)]
#![forbid(unsafe_code)]

use std::{env, error::Error, fmt::Debug};

use futures_util::TryStreamExt;
use reqwest::header::{AUTHORIZATION, HeaderMap};
use uuid::Uuid;
use vestibule::{
    Client, Error as ClientError,
    types::{LoginRequest, Problem, RegisterRequest},
};

mod vestibule {
    progenitor::generate_api!("openapi.json");
}

const PASSWORD: &str = "my_password";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (url, refusal) = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [url, "live"] => (url, "invalid_credentials"),
        [url, "stub"] => (url, "made_up_code"),
        _ => return Err("usage: program URL live|stub".into()),
    };
    let username = format!("sdk-{}", Uuid::new_v4());
    let client = Client::new(url);

    let account = RegisterRequest { username: username.parse()?, password: PASSWORD.parse()? };
    let registered = client.register(&account).await?;
    equal("the user name of the answer to /register", &registered.username, &username)?;

    let credentials = LoginRequest { username: username.parse()?, password: PASSWORD.parse()? };
    let tokens = client.login(&credentials).await?;
    equal("the token type", tokens.token_type.as_str(), "Bearer")?;

    let bearer = format!("Bearer {}", *tokens.access_token).parse()?;
    let headers = HeaderMap::from_iter([(AUTHORIZATION, bearer)]);
    let http = reqwest::Client::builder().default_headers(headers).build()?;
    let me = Client::new_with_client(url, http).get_me().await?;
    equal("the user name of the answer to /me", &me.username, &username)?;

    let wrong = LoginRequest { username: username.parse()?, password: "not_my_password".parse()? };
    let answer = match client.login(&wrong).await {
        Err(ClientError::ErrorResponse(answer)) => answer,
        other => return Err(format!("a login with a wrong password ends with {other:?}").into()),
    };
    equal("the status of a login with a wrong password", answer.status().as_u16(), 401)?;
    let problem: Problem = serde_json::from_slice(&answer.into_inner_stream().try_collect::<Vec<_>>().await?.concat())?;
    equal("the code of the problem", problem.code.as_str(), refusal)?;
    Ok(())
}

fn equal<T: Debug + PartialEq>(what: &str, got: T, wanted: T) -> Result<(), String> {
    if got == wanted { Ok(()) } else { Err(format!("{what} is {got:?}, not {wanted:?}")) }
}
