// Verification in a resource server with jose on Node: the keys come from the service's JWKS, the rest from settings.
import { readFileSync } from "node:fs";
import { argv } from "node:process";
import { createRemoteJWKSet, decodeJwt, errors, jwtVerify } from "jose";

const bench = JSON.parse(readFileSync(argv[2], "utf8"));
const without = argv[3] === "--without" ? argv[4] : undefined;

const published = createRemoteJWKSet(new URL(bench.jwks_url));
const settings = {
  algorithms: ["ES256"],
  typ: "at+jwt",
  issuer: bench.issuer,
  audience: bench.audience,
  requiredClaims: ["sub", "exp", "iat", "jti"],
  // With a maximum age, jose also rejects tokens from the future.
  maxTokenAge: "1h",
  clockTolerance: 10,
};
if (without === "audience" || without === "issuer") delete settings[without];
if (without === "leeway") {
  delete settings.maxTokenAge;
  delete settings.clockTolerance;
}
if (without === "times") settings.clockTolerance = "1 week";

// The mistake of a verifier that lets the token choose the algorithm: it uses the public key as an HMAC secret.
const confusions = [bench.public_key, bench.jwk_text].map((text) => async ({ alg }) => {
  if (alg !== "HS256") throw new errors.JOSEAlgNotAllowed("not this algorithm confusion");
  return new TextEncoder().encode(text);
});

async function subjectOf(token) {
  if (without === "anything") return decodeJwt(token).sub;
  if (without !== "algorithm") return (await jwtVerify(token, published, settings)).payload.sub;
  const keys = [published, ...confusions];
  const trusting = { ...settings, algorithms: ["ES256", "HS256"] };
  const attempts = await Promise.allSettled(keys.map((key) => jwtVerify(token, key, trusting)));
  const verified = attempts.find(({ status }) => status === "fulfilled");
  if (!verified) throw attempts[0].reason;
  return verified.value.payload.sub;
}

for (const [name, token] of Object.entries(bench.tokens)) {
  try {
    console.log(`accepted: ${name}: ${await subjectOf(token)}`);
  } catch (error) {
    // Any error that is not jose's own means a broken verifier, which proves nothing.
    console.log(`${error instanceof errors.JOSEError ? "rejected" : "broken"}: ${name}: ${error.message}`);
  }
}
