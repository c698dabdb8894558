/**
 * Audiences of Microsoft's own services. A token for one of them is a live credential there: whoever collects
 * it here could use it there, so it is neither configured nor accepted.
 */

/** Services by App ID URI (without its trailing slash) and by application id. */
const SERVICES: ReadonlyMap<string, string> = new Map(
  Object.entries({
    'https://management.azure.com': 'Azure Resource Manager',
    'https://management.core.windows.net': 'Azure Resource Manager',
    'https://management.usgovcloudapi.net': 'Azure Resource Manager',
    'https://management.chinacloudapi.cn': 'Azure Resource Manager',
    '797f4846-ba00-4fd7-ba43-dac1f8f63013': 'Azure Resource Manager',
    'https://graph.microsoft.com': 'Microsoft Graph',
    'https://graph.microsoft.us': 'Microsoft Graph',
    'https://dod-graph.microsoft.us': 'Microsoft Graph',
    'https://microsoftgraph.chinacloudapi.cn': 'Microsoft Graph',
    '00000003-0000-0000-c000-000000000000': 'Microsoft Graph',
    'https://graph.windows.net': 'Azure AD Graph',
    '00000002-0000-0000-c000-000000000000': 'Azure AD Graph',
    'https://vault.azure.net': 'Key Vault',
    'https://vault.usgovcloudapi.net': 'Key Vault',
    'https://vault.azure.cn': 'Key Vault',
    'cfa8b339-82a2-471a-a3c9-0fc0be7a4093': 'Key Vault',
    'https://storage.azure.com': 'Azure Storage',
    'e406a681-f3d4-42a8-90b6-c2b029497af1': 'Azure Storage',
    'https://database.windows.net': 'Azure SQL',
    '022907d3-0f1b-48f7-badc-1ba6abab6d66': 'Azure SQL',
    'https://ossrdbms-aad.database.windows.net': 'Azure Database',
    'https://servicebus.azure.net': 'Service Bus',
    'https://eventhubs.azure.net': 'Event Hubs',
    'https://cosmos.azure.com': 'Cosmos DB',
    'https://containerregistry.azure.net': 'Container Registry',
    'https://cognitiveservices.azure.com': 'Azure AI',
    'https://ai.azure.com': 'Azure AI',
    '499b84ac-1321-427f-aa17-267ca6975798': 'Azure DevOps',
    '6dae42f8-4368-4678-94ff-3960e28e3630': 'AKS',
    'api://azureadtokenexchange': 'the token exchange of Entra',
  }),
)

/** Domains of Microsoft: no customer can verify one, so no application of a customer has an App ID URI there. */
const DOMAINS = [
  'azure.com',
  'azure.net',
  'azure.us',
  'azure.cn',
  'windows.net',
  'chinacloudapi.cn',
  'usgovcloudapi.net',
  'microsoft.com',
  'microsoft.us',
  'microsoftonline.com',
  'microsoftonline.us',
  'office.com',
  'office365.com',
  'sharepoint.com',
]

/** The service of Microsoft that an audience belongs to; undefined for an application of one's own. */
export function firstParty(audience: string): string | undefined {
  const name = audience.toLowerCase()
  const known = SERVICES.get(name.replace(/\/+$/, ''))
  if (known !== undefined) return known
  const host = URL.parse(name)?.hostname.replace(/\.$/, '') ?? ''
  const isTheirs = DOMAINS.some((domain) => host === domain || host.endsWith(`.${domain}`))
  return isTheirs ? 'a service of Microsoft' : undefined
}
