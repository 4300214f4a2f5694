/**
 * Recurrent state of a graph that carries many tensors of several types from run to run: its inputs behind the first few,
 * in the order of its outputs behind the first few. A state is never changed: a run gives the next one.
 */
import type { OnnxTensor, OnnxTensors } from "../../gpu/batch-buffers.js";
import { type DeclaredTensors, expectTensors } from "../../gpu/expect-tensors.js";
import { zeroTensor } from "../../gpu/tensors.js";

const STATE_TYPES = ["float32", "int64", "bool"];

export class CarriedState {
  readonly #tensors: OnnxTensors;
  readonly #outputs: readonly string[];

  private constructor(tensors: OnnxTensors, outputs: readonly string[]) {
    this.#tensors = tensors;
    this.#outputs = outputs;
  }

  /**
   * All zero, as at a text's beginning. A dimension that the graph leaves free is 1.
   * @param others how many inputs and outputs stand before the state's
   * Throws MODEL_TENSORS_MISMATCH if inputs and outputs do not pair.
   */
  static zeros(
    model: DeclaredTensors,
    family: string,
    others: { readonly inputs: number; readonly outputs: number },
  ): CarriedState {
    const inputs = model.inputs.slice(others.inputs);
    const outputs = model.outputs.slice(others.outputs);
    expectTensors(model, family, {
      inputs: model.inputs.map((input, at) => {
        const isState = at >= others.inputs;
        return { ...input, type: isState && !STATE_TYPES.includes(input.type) ? STATE_TYPES.join(" | ") : input.type };
      }),
      outputs: inputs.map(({ type, dims }, at) => {
        return { name: outputs[at]?.name ?? `state ${at}`, type, dims: dims.map(() => null) };
      }),
    });
    const zeros = inputs.map(({ name, type, dims }) => {
      return [
        name,
        zeroTensor(
          type,
          dims.map((dim) => (typeof dim === "number" ? dim : 1)),
        ),
      ] as const;
    });
    return new CarriedState(
      Object.fromEntries(zeros),
      outputs.map(({ name }) => name),
    );
  }

  /** To be fed beside a run's other inputs. */
  get feeds(): OnnxTensors {
    return this.#tensors;
  }

  /** The state after the run that gave `outputs`. */
  after(outputs: OnnxTensors): CarriedState {
    const names = Object.keys(this.#tensors);
    const next = names.map((name, at): [string, OnnxTensor] => [name, outputs[this.#outputs[at]!]!]);
    return new CarriedState(Object.fromEntries(next), this.#outputs);
  }
}
