import { isObject } from "../../apimachinery/own.ts";
import { badRequest, methodNotAllowed } from "../../apimachinery/status.ts";
import type { HttpHandler } from "../../base/http.ts";
import { type EncryptionAction, encryptionActions } from "./config.ts";
import type { Encryption, EncryptionStatus } from "./encryption.ts";

export const encryptionPath = "/v1-skiff/encryption";

export interface ToldStatus extends EncryptionStatus {
  /** Servers that haven't told yet that they follow the newest keys. */
  behind: string[];
  /** Why what lies on disk can't be brought up to date now. */
  problem?: string | undefined;
}

/** GET tells a `ToldStatus`; POST `{"action": "enable"|"disable"|"rotate-keys"}` changes it, and tells it. To be guarded. */
export function encryptionHandler(encryption: Encryption, others: () => Pick<ToldStatus, "behind" | "problem">): HttpHandler {
  return async (request, response) => {
    const answer = (status: EncryptionStatus): void => response.send(200, { "Content-Type": "application/json" }, JSON.stringify({ problem: encryption.problem, ...others(), ...status } satisfies ToldStatus));
    if (request.method === "GET") return answer(encryption.status);
    if (request.method !== "POST") throw methodNotAllowed();
    answer(await encryption.change(actionOf(await request.body())));
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
