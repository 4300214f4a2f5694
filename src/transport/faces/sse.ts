/** One server-sent event (https://html.spec.whatwg.org/multipage/server-sent-events.html) with JSON in it. */
export function sse(event: object): string {
  return `data: ${JSON.stringify(event)}\n\n`;
}
