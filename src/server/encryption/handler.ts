import { isObject } from "../../apimachinery/own.ts";
import { badRequest, methodNotAllowed } from "../../apimachinery/status.ts";
import type { HttpHandler } from "../../base/http.ts";
import { type Encryption, type EncryptionAction, encryptionActions } from "./encryption.ts";

export const encryptionPath = "/v1-skiff/encryption";

/** GET tells an `EncryptionStatus`; POST `{"action": "enable"|"disable"|"rotate-keys"}` changes it, and tells it. To be guarded. `mayChange` throws when keys must stay as they are. */
export function encryptionHandler(encryption: Encryption, mayChange: () => void): HttpHandler {
  return async (request, response) => {
    const answer = (status: unknown): void => response.send(200, { "Content-Type": "application/json" }, JSON.stringify(status));
    if (request.method === "GET") return answer(encryption.status);
    if (request.method !== "POST") throw methodNotAllowed();
    const action = actionOf(await request.body());
    mayChange();
    answer(encryption.change(action));
  };
}

function actionOf(body: Uint8Array): EncryptionAction {
  let content: unknown;
  try {
    content = JSON.parse(new TextDecoder().decode(body));
  } catch (error) {
    throw badRequest(`the body is no JSON: ${(error as Error).message}`);
  }
  const action = isObject(content) ? encryptionActions.find((each) => each === content["action"]) : undefined;
  if (!action) throw badRequest(`the action must be one of ${encryptionActions.join(", ")}`);
  return action;
}
