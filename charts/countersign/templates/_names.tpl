{{/* Names, labels, the image, and the hosts that the certificate is for. */}}

{{- define "countersign.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "countersign.fullname" -}}
{{- $name := include "countersign.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "countersign.selector" -}}
app.kubernetes.io/name: {{ include "countersign.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: broker
{{- end -}}

{{- define "countersign.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/name: {{ include "countersign.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "countersign.image" -}}
{{- $tag := default .Chart.AppVersion .Values.image.tag -}}
{{- with .Values.image -}}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ $tag }}{{ end -}}
{{- end -}}
{{- end -}}

{{/* The host of the issuer, without port and brackets. */}}
{{- define "countersign.host" -}}
{{- (urlParse .Values.issuer).host | splitList ":" | first -}}
{{- end -}}

{{- define "countersign.keysSecret" -}}
{{- default (printf "%s-keys" (include "countersign.fullname" .)) .Values.keys.existingSecret -}}
{{- end -}}

{{- define "countersign.tlsSecret" -}}
{{- if eq .Values.tls.mode "existingSecret" }}{{ .Values.tls.existingSecret }}
{{- else }}{{ include "countersign.fullname" . }}-tls{{ end -}}
{{- end -}}

{{/* The ConfigMap with the authority that probers and agents trust; empty where the system's roots do. */}}
{{- define "countersign.caConfigMap" -}}
{{- if .Values.tls.caConfigMap }}{{ .Values.tls.caConfigMap }}
{{- else if eq .Values.tls.mode "selfSigned" }}{{ include "countersign.fullname" . }}-ca{{ end -}}
{{- end -}}

{{- define "countersign.probeAudience" -}}
{{ .Values.issuer }}/probe
{{- end -}}

{{/* What a container may do: nothing beyond running its own program. The `restricted` Pod Security level. */}}
{{- define "countersign.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: { type: RuntimeDefault }
{{- end -}}

{{- define "countersign.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end -}}
