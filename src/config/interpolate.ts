/**
 * `${NAME}` and `${NAME:-default}` in a string that was already parsed, so that no value can add structure. What comes
 * from the environment is not looked at again: `${…}` inside it stays as it is. `$${` stands for a literal `${`.
 */

export interface Interpolated {
  readonly text: string;
  readonly usedEnvironment: boolean;
  readonly faults: readonly { readonly code: "env-missing" | "env-malformed"; readonly message: string }[];
}

const REFERENCE = /\$(\$\{)|\$\{(?:([A-Za-z_][A-Za-z0-9_]*)(?::-((?:[^}$]|\$(?!\{))*))?\})?/g;

/** As in a shell, the default also stands in for a variable that is set to nothing. */
export function interpolate(text: string, env: Readonly<Record<string, string | undefined>>): Interpolated {
  const faults: { code: "env-missing" | "env-malformed"; message: string }[] = [];
  let usedEnvironment = false;
  const result = text.replace(REFERENCE, (_whole, escaped?: string, name?: string, fallback?: string) => {
    if (escaped !== undefined) return "${";
    if (name === undefined) {
      faults.push({
        code: "env-malformed",
        message:
          "a dollar and a brace must be followed by a variable's name and `}`; double the dollar to mean it literally",
      });
      return "";
    }
    usedEnvironment = true;
    const value = Object.hasOwn(env, name) ? env[name] : undefined;
    if (value !== undefined && (value !== "" || fallback === undefined)) return value;
    if (fallback !== undefined) return fallback;
    faults.push({
      code: "env-missing",
      message: `the environment has no variable ${name}; set it, or give a default: \${${name}:-default}`,
    });
    return "";
  });
  return { text: result, usedEnvironment, faults };
}
