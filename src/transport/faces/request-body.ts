import { SyrinxError } from "../../base/errors.js";
import type { RestBody } from "./rest.js";

/** For a body that is not what a face takes. */
export function wrongBody(body: RestBody, expected: string): SyrinxError {
  return new SyrinxError("HTTP_BODY_TYPE", { type: typeOf(body), expected });
}

function typeOf(body: RestBody): string {
  switch (body.kind) {
    case "none":
      return "nothing";
    case "json":
      return "application/json";
    case "form":
      return "multipart/form-data";
    case "bytes":
      return body.upload.contentType?.slice(0, 100) ?? "nothing";
  }
}
