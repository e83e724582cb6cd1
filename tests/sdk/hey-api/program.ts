// A round trip with the client of @hey-api/openapi-ts: node program.js URL live|stub
import { createClient } from "./client/client/index.js";
import { getMe, listSessions, login, logout, refreshToken, register, type Problem } from "./client/index.js";

const [url = "", mode = ""] = process.argv.slice(2);
const codes = new Map([
    ["live", { login: "invalid_credentials", refresh: "invalid_token" }],
    ["stub", { login: "made_up_code", refresh: "made_up_code" }],
]).get(mode);
if (codes === undefined) {
    console.error("usage: node program.js URL live|stub");
    process.exit(2);
}
const username = `sdk-${crypto.randomUUID()}`;
const password = "my_password";
const client = createClient({ baseUrl: url });

const registered = await register({ client, body: { username, password } });
equal("the user name of the response to /register", registered.data?.username, username);

const tokens = await login({ client, body: { username, password } });
equal("the token type", tokens.data?.token_type, "Bearer");
equal("the type of access_token", typeof tokens.data?.access_token, "string");

const me = await getMe({ client, auth: tokens.data?.access_token });
equal("the user name of the response to /me", me.data?.username, username);

const renewed = await refreshToken({ client, body: { refresh_token: tokens.data?.refresh_token ?? "" } });
equal("the type of refresh_token", typeof renewed.data?.refresh_token, "string");
equal("whether the refresh token is new", renewed.data?.refresh_token !== tokens.data?.refresh_token, true);

const auth = renewed.data?.access_token;
const meAgain = await getMe({ client, auth });
equal("the user name of the response to /me after the refresh", meAgain.data?.username, username);

const sessions = await listSessions({ client, auth });
equal("whether one of the sessions is current", sessions.data?.items.some((session) => session.current), true);

const loggedOut = await logout({ client, auth });
equal("the status of a logout", loggedOut.response?.status, 204);

const tooLate = await refreshToken({ client, body: { refresh_token: renewed.data?.refresh_token ?? "" } });
expectRejection("a refresh after the logout", tooLate, codes.refresh);

const wrong = await login({ client, body: { username, password: "not_my_password" } });
expectRejection("a login with a wrong password", wrong, codes.login);

function expectRejection(what: string, rejected: { error: Problem | undefined; response?: Response }, code: string): void {
    equal(`the status of ${what}`, rejected.response?.status, 401);
    const problem: Problem | undefined = rejected.error;
    equal(`the code of ${what}`, problem?.code, code);
    equal(`the type of the detail of ${what}`, typeof problem?.detail, "string");
}

function equal(what: string, got: unknown, wanted: unknown): void {
    if (got !== wanted) {
        console.error(`${what} is ${JSON.stringify(got)}, not ${JSON.stringify(wanted)}`);
        process.exit(1);
    }
}
