// A real OpenID provider on this machine (npm: oidc-provider), with one client and whatever people a test names.
//
//   node tests/e2e/support/issuer.ts --redirect-uri URL --client-secret TEXT [--alg ES256] [--claims-in-token] [--exit-with-stdin]
//
// It prints `issuer ready on URL`. To sign in there, POST /interaction/{uid} with `account=NAME`: the person's address is
// NAME@people.example, which the issuer has verified unless the name begins with `unverified-`; `account=` refuses.
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { parseArgs } from "node:util";
import Provider, { type Context } from "oidc-provider";

const SCOPE = "openid email profile";
const { values: options } = parseArgs({
  options: {
    "redirect-uri": { type: "string", default: "" },
    "client-secret": { type: "string", default: "" },
    alg: { type: "string", default: "RS256" },
    "claims-in-token": { type: "boolean", default: false },
    "exit-with-stdin": { type: "boolean", default: false },
  },
});

function key(): object {
  const made =
    options.alg === "ES256"
      ? generateKeyPairSync("ec", { namedCurve: "P-256" })
      : generateKeyPairSync("rsa", { modulusLength: 2048 });
  return { ...made.privateKey.export({ format: "jwk" }), alg: options.alg, use: "sig", kid: randomBytes(8).toString("hex") };
}

function configuration(): object {
  return {
    claims: { email: ["email", "email_verified"], profile: ["name"] },
    clients: [
      {
        client_id: "headgate",
        client_secret: options["client-secret"],
        redirect_uris: [options["redirect-uri"]],
        id_token_signed_response_alg: options.alg,
      },
    ],
    conformIdTokenClaims: !options["claims-in-token"],
    cookies: { keys: [randomBytes(16).toString("hex")] },
    features: { devInteractions: { enabled: false } },
    findAccount: (_: unknown, id: string) => ({
      accountId: id,
      claims: () => ({
        sub: id,
        email: `${id.replace("unverified-", "")}@people.example`,
        email_verified: !id.startsWith("unverified-"),
        name: `Person ${id}`,
      }),
    }),
    interactions: { url: (_: unknown, interaction: { uid: string }) => `/interaction/${interaction.uid}` },
    jwks: { keys: [key()] },
    async loadExistingGrant({ oidc }: Context) {
      const grant = new oidc.provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId });
      grant.addOIDCScope(SCOPE);
      await grant.save();
      return grant;
    },
    pkce: { required: () => true },
  };
}

async function interact(provider: Provider, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  const account = new URLSearchParams(Buffer.concat(pieces).toString()).get("account");
  const result = account ? { login: { accountId: account } } : { error: "access_denied" };
  await provider.interactionFinished(request, response, result);
}

const server = createServer();
server.listen(0, "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const provider = new Provider(issuer, configuration());
  const callback = provider.callback();
  server.on("request", (request: IncomingMessage, response: ServerResponse) => {
    const own = request.method === "POST" && request.url?.startsWith("/interaction/");
    (own ? interact(provider, request, response) : callback(request, response)).catch((error: unknown) => {
      console.error(error);
      response.writeHead(500).end();
    });
  });
  console.log(`issuer ready on ${issuer}`);
});
if (options["exit-with-stdin"]) process.stdin.on("close", () => process.exit(0)).resume();
for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, () => process.exit(0));
