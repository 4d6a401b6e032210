/** Who decides when nobody is named. */
export const STANDARD_APPROVERS = ["role:operator"];
export const ROLES = ["role:admin", "role:operator", "role:editor", "role:viewer"];
export const APPROVER = /^(role|user):.+$/;
