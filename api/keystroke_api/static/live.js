export function followChanges() {}
