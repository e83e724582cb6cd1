// A round trip with the client of openapi-typescript and openapi-fetch: node program.js URL live|stub
import createClient from "openapi-fetch";
import type { components, paths } from "./generated/vestibule.js";

type Problem = components["schemas"]["Problem"];

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
const client = createClient<paths>({ baseUrl: url });

const registered = await client.POST("/register", { body: { username, password } });
equal("the user name of the response to /register", registered.data?.username, username);

const login = await client.POST("/login", { body: { username, password } });
equal("the token type", login.data?.token_type, "Bearer");
equal("the type of access_token", typeof login.data?.access_token, "string");

const me = await client.GET("/me", { headers: { Authorization: `Bearer ${login.data?.access_token}` } });
equal("the user name of the response to /me", me.data?.username, username);

const refresh = await client.POST("/token/refresh", { body: { refresh_token: login.data?.refresh_token ?? "" } });
equal("the type of refresh_token", typeof refresh.data?.refresh_token, "string");
equal("whether the refresh token is new", refresh.data?.refresh_token !== login.data?.refresh_token, true);

const headers = { Authorization: `Bearer ${refresh.data?.access_token}` };
const meAgain = await client.GET("/me", { headers });
equal("the user name of the response to /me after the refresh", meAgain.data?.username, username);

const sessions = await client.GET("/me/sessions", { headers });
equal("whether one of the sessions is current", sessions.data?.items.some((session) => session.current), true);

const logout = await client.POST("/logout", { headers });
equal("the status of a logout", logout.response.status, 204);

const tooLate = await client.POST("/token/refresh", { body: { refresh_token: refresh.data?.refresh_token ?? "" } });
expectRejection("a refresh after the logout", tooLate, codes.refresh);

const wrong = await client.POST("/login", { body: { username, password: "not_my_password" } });
expectRejection("a login with a wrong password", wrong, codes.login);

function expectRejection(what: string, rejected: { error?: Problem; response: Response }, code: string): void {
    equal(`the status of ${what}`, rejected.response.status, 401);
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
