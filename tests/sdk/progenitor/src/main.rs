//! A round trip with the client of progenitor: program URL live|stub
#![deny(warnings)]
#![forbid(unsafe_code)]

use std::{env, error::Error, fmt::Debug};

use futures_util::TryStreamExt;
use reqwest::header::{AUTHORIZATION, HeaderMap};
use uuid::Uuid;
use vestibule::{
    ByteStream, Client, Error as ClientError, ResponseValue,
    types::{LoginRequest, Problem, RefreshTokenRequest, RegisterRequest, TokenResponse},
};

mod vestibule {
    progenitor::generate_api!("openapi.json");
}

const PASSWORD: &str = "my_password";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().collect();
    let (url, login_code, refresh_code) = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [_, url, "live"] => (url, "invalid_credentials", "invalid_token"),
        [_, url, "stub"] => (url, "made_up_code", "made_up_code"),
        _ => return Err("usage: program URL live|stub".into()),
    };
    let username = format!("sdk-{}", Uuid::new_v4());
    let client = Client::new(url);

    let user = RegisterRequest { username: username.parse()?, password: PASSWORD.parse()? };
    let registered = client.register(&user).await?;
    equal("the user name of the response to /register", &registered.username, &username)?;

    let credentials = LoginRequest { username: username.parse()?, password: PASSWORD.parse()? };
    let tokens = client.login(&credentials).await?;
    equal("the token type", tokens.token_type.as_str(), "Bearer")?;

    let me = client_with_token(url, &tokens.access_token)?.get_me().await?;
    equal("the user name of the response to /me", &me.username, &username)?;

    let newest = RefreshTokenRequest { refresh_token: tokens.refresh_token.parse()? };
    let renewed = client.refresh_token(&newest).await?;
    equal("whether the refresh token is new", *renewed.refresh_token != *tokens.refresh_token, true)?;

    let again = client_with_token(url, &renewed.access_token)?;
    let me = again.get_me().await?;
    equal("the user name of the response to /me after the refresh", &me.username, &username)?;

    let sessions = again.list_sessions().await?;
    equal("whether one of the sessions is current", sessions.items.iter().any(|session| session.current), true)?;

    let logged_out = again.logout().await?;
    equal("the status of a logout", logged_out.status().as_u16(), 204)?;

    let newest = RefreshTokenRequest { refresh_token: renewed.refresh_token.parse()? };
    expect_rejection("a refresh after the logout", client.refresh_token(&newest).await, refresh_code).await?;

    let wrong = LoginRequest { username: username.parse()?, password: "not_my_password".parse()? };
    expect_rejection("a login with a wrong password", client.login(&wrong).await, login_code).await
}

/// Returns a client that sends the access token.
fn client_with_token(url: &str, access_token: &str) -> Result<Client, Box<dyn Error>> {
    let bearer = format!("Bearer {access_token}").parse()?;
    let headers = HeaderMap::from_iter([(AUTHORIZATION, bearer)]);
    let http = reqwest::Client::builder().default_headers(headers).build()?;
    Ok(Client::new_with_client(url, http))
}

async fn expect_rejection(
    what: &str,
    outcome: Result<ResponseValue<TokenResponse>, ClientError<ByteStream>>,
    code: &str,
) -> Result<(), Box<dyn Error>> {
    let response = match outcome {
        Err(ClientError::ErrorResponse(response)) => response,
        other => return Err(format!("{what} failed with {other:?}").into()),
    };
    equal(&format!("the status of {what}"), response.status().as_u16(), 401)?;
    let problem: Problem = serde_json::from_slice(&response.into_inner_stream().try_collect::<Vec<_>>().await?.concat())?;
    equal(&format!("the code of {what}"), problem.code.as_str(), code)?;
    Ok(())
}

fn equal<T: Debug + PartialEq>(what: &str, got: T, wanted: T) -> Result<(), String> {
    if got == wanted { Ok(()) } else { Err(format!("{what} is {got:?}, not {wanted:?}")) }
}
