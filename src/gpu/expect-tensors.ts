import { SyrinxError } from "../base/errors.js";

/** A tensor as a model file declares it. A dimension is a number, or a name (possibly empty) where it may vary. */
export interface DeclaredTensor {
  readonly name: string;
  readonly type: string;
  readonly dims: readonly (number | string)[];
}

/** A tensor that a family relies on. `null` is any dimension; a string is one that must be free to vary. */
export interface ExpectedTensor {
  readonly name: string;
  readonly type: string;
  readonly dims: readonly (number | string | null)[];
}

export interface ExpectedTensors {
  readonly inputs: readonly ExpectedTensor[];
  readonly outputs: readonly ExpectedTensor[];
}

export interface DeclaredTensors {
  readonly path: string;
  readonly inputs: readonly DeclaredTensor[];
  readonly outputs: readonly DeclaredTensor[];
}

/**
 * Throws MODEL_TENSORS_MISMATCH with every difference, expected against found. Inputs that the family would leave
 * unfed are differences; outputs that it would not read are not.
 */
export function expectTensors(model: DeclaredTensors, family: string, expected: ExpectedTensors): void {
  const differences = [
    ...compare("input", model.inputs, expected.inputs),
    ...compare("output", model.outputs, expected.outputs),
    ...model.inputs
      .filter(({ name }) => !expected.inputs.some((input) => input.name === name))
      .map((found) => `input ${found.name}: expected none, found ${show(found)}`),
  ];
  if (differences.length === 0) return;
  throw new SyrinxError("MODEL_TENSORS_MISMATCH", { path: model.path, family, difference: differences.join("; ") });
}

function compare(kind: string, found: readonly DeclaredTensor[], expected: readonly ExpectedTensor[]): string[] {
  return expected.flatMap((wanted) => {
    const have = found.find(({ name }) => name === wanted.name);
    if (have === undefined) {
      const names = found.map(({ name }) => name).join(", ");
      return [`${kind} ${wanted.name}: expected ${show(wanted)}, found none among ${names}`];
    }
    return fits(have, wanted) ? [] : [`${kind} ${wanted.name}: expected ${show(wanted)}, found ${show(have)}`];
  });
}

function fits(found: DeclaredTensor, wanted: ExpectedTensor): boolean {
  return (
    found.type === wanted.type &&
    found.dims.length === wanted.dims.length &&
    wanted.dims.every((dim, axis) => dimFits(found.dims[axis]!, dim))
  );
}

/** A dimension that the file leaves free takes any number; nothing more can be known before the first run. */
function dimFits(found: number | string, wanted: number | string | null): boolean {
  return wanted === null || typeof found === "string" || found === wanted;
}

function show({ type, dims }: DeclaredTensor | ExpectedTensor): string {
  return `${type}[${dims.map((dim) => (dim === null || dim === "" ? "?" : dim)).join(", ")}]`;
}
