// A round trip with the client of @hey-api/openapi-ts: node program.js URL live|stub
import { createClient } from "./client/client/index.js";
import { getMe, login, register, type Problem } from "./client/index.js";

const [url = "", mode = ""] = process.argv.slice(2);
const refusal = new Map([["live", "invalid_credentials"], ["stub", "made_up_code"]]).get(mode);
if (refusal === undefined) {
    console.error("usage: node program.js URL live|stub");
    process.exit(2);
}
const username = `sdk-${crypto.randomUUID()}`;
const password = "my_password";
const client = createClient({ baseUrl: url });

const registered = await register({ client, body: { username, password } });
equal("the user name of the answer to /register", registered.data?.username, username);

const tokens = await login({ client, body: { username, password } });
equal("the token type", tokens.data?.token_type, "Bearer");
equal("the type of access_token", typeof tokens.data?.access_token, "string");

const me = await getMe({ client, auth: tokens.data?.access_token });
equal("the user name of the answer to /me", me.data?.username, username);

const refused = await login({ client, body: { username, password: "not_my_password" } });
equal("the status of a login with a wrong password", refused.response?.status, 401);
const problem: Problem | undefined = refused.error;
equal("the code of the problem", problem?.code, refusal);
equal("the type of the problem's detail", typeof problem?.detail, "string");

function equal(what: string, got: unknown, wanted: unknown): void {
    if (got !== wanted) {
        console.error(`${what} is ${JSON.stringify(got)}, not ${JSON.stringify(wanted)}`);
        process.exit(1);
    }
}
