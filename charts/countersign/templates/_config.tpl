{{/*
What the broker is told: the chart's own settings, and `config` laid over them. Lists that both write (`trust`,
`resources`) are joined. RBAC, mounts and ports are read from the result, so that they follow from what is configured.
*/}}

{{- define "countersign.clusterEntry" -}}
{{- $entry := dict "cluster" .Values.cluster.name "api" (dict "inCluster" true) "liveness" .Values.cluster.liveness -}}
{{- range $name := list "issuer" "audience" "environment" -}}
{{- with index $.Values.cluster $name }}{{ $_ := set $entry $name . }}{{ end -}}
{{- end -}}
{{- toYaml (dict "kubernetes" (mergeOverwrite $entry (deepCopy .Values.cluster.settings))) -}}
{{- end -}}

{{/* Not empty when somebody in the cluster may read the admin listener. */}}
{{- define "countersign.readers" -}}
{{- concat .Values.metrics.readers .Values.metrics.decisionReaders | join "" -}}
{{- end -}}

{{- define "countersign.admin" -}}
{{- $names := dict -}}
{{- range $permission, $readers := dict "metrics" .Values.metrics.readers "decisions" .Values.metrics.decisionReaders -}}
{{- $users := list -}}
{{- range $readers }}{{ $users = append $users (printf "system:serviceaccount:%s" (. | replace "/" ":")) }}{{ end -}}
{{- $_ := set $names $permission $users -}}
{{- end -}}
host: 0.0.0.0
port: 9443
tls: { cert: /etc/countersign/tls/tls.crt, key: /etc/countersign/tls/tls.key }
hosts: [{{ include "countersign.fullname" . }}-admin.{{ .Release.Namespace }}.svc]
auth:
  allow: {{- toYaml $names | nindent 4 }}
  tokenreview: { inCluster: true }
{{- end -}}

{{- define "countersign.settings" -}}
{{- $listen := dict "host" "0.0.0.0" "port" 8443 "linger" (printf "%vs" .Values.lingerSeconds) -}}
{{- if ne .Values.tls.mode "off" -}}
{{- $tls := dict "cert" "/etc/countersign/tls/tls.crt" "key" "/etc/countersign/tls/tls.key" -}}
{{- if eq .Values.tls.clientCertificates "request" }}{{ $_ := set $tls "clientCertificates" "request" }}{{ end -}}
{{- if .Values.tls.clientCaConfigMap }}{{ $_ := set $tls "clientCa" "/etc/countersign/clients/ca.crt" }}{{ end -}}
{{- $_ := set $listen "tls" $tls -}}
{{- end -}}
{{- $store := dict "sqlite" "/var/lib/countersign/state.db" -}}
{{- if .Values.database.existingSecret }}{{ $store = dict "postgres" "${env:DATABASE_URL}" }}{{ end -}}
{{- if .Values.database.caConfigMap }}{{ $_ := set $store "ca" "/etc/countersign/database/ca.crt" }}{{ end -}}
{{- $base := dict
  "issuer" .Values.issuer
  "listen" $listen
  "store" $store
  "keys" (dict "secret" "${file:/etc/countersign/keys/secret}")
  "policies" (dict "path" "/etc/countersign/policies")
-}}
{{- if include "countersign.readers" . }}{{ $_ := set $base "admin" (include "countersign.admin" . | fromYaml) }}{{ end -}}
{{- $settings := mergeOverwrite $base (deepCopy .Values.config) -}}
{{- $trust := list -}}
{{- if .Values.cluster.enabled }}{{ $trust = append $trust (include "countersign.clusterEntry" . | fromYaml) }}{{ end -}}
{{- $_ := set $settings "trust" (concat $trust (default list .Values.config.trust)) -}}
{{- $resources := list -}}
{{- if .Values.probe.enabled -}}
{{- $resources = append $resources (dict "audience" (include "countersign.probeAudience" .) "scopes" (list .Values.probe.scope "probe:never") "maxTtl" "1m") -}}
{{- end -}}
{{- $_ := set $settings "resources" (concat $resources (default list .Values.config.resources)) -}}
{{- toYaml $settings -}}
{{- end -}}

{{/* What follows from the settings: a YAML map of `api`, `review` and `watch` (of the API server), and `admin` (exposed). */}}
{{- define "countersign.features" -}}
{{- $settings := include "countersign.settings" . | fromYaml -}}
{{- $admin := default dict $settings.admin -}}
{{- $host := default "127.0.0.1" $admin.host -}}
{{- $reviews := dig "auth" "tokenreview" "inCluster" false $admin -}}
{{- $isExposed := not (regexMatch "^(127\\.|localhost$|::1$)" $host) -}}
{{- $features := dict "api" $reviews "review" $reviews "watch" false "admin" $isExposed -}}
{{- range $entry := $settings.trust -}}
{{- with $entry.kubernetes -}}
{{- if dig "api" "inCluster" false . -}}
{{- $_ := set $features "api" true -}}
{{- $liveness := default "watch" .liveness -}}
{{- if eq $liveness "tokenreview" }}{{ $_ := set $features "review" true }}{{ end -}}
{{- if or (eq $liveness "watch") .posture }}{{ $_ := set $features "watch" true }}{{ end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toYaml $features -}}
{{- end -}}
