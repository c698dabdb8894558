{{/*
What the schema cannot see: values that contradict each other. Every line begins with the path of the value to change;
all of them are shown at once.
*/}}
{{- define "countersign.validate" -}}
{{- $problems := concat
  (include "countersign.validate.server" . | fromYamlArray)
  (include "countersign.validate.state" . | fromYamlArray)
  (include "countersign.validate.tls" . | fromYamlArray)
  (include "countersign.validate.trust" . | fromYamlArray)
  (include "countersign.validate.policies" . | fromYamlArray)
  (include "countersign.validate.network" . | fromYamlArray)
-}}
{{- if $problems }}{{ fail (printf "\n\n%s\n" (join "\n" $problems)) }}{{ end -}}
{{- end -}}

{{- define "countersign.validate.server" -}}
{{- $v := .Values -}}
{{- if not $v.issuer }}
- "issuer: is required: the exact URL of this server, such as --set issuer=https://countersign.example.com"
{{- else if not (hasPrefix "https://" $v.issuer) }}
- {{ printf "issuer: is %s, but must begin with https://" $v.issuer | quote }}
{{- else if regexMatch "[?#]|/$" $v.issuer }}
- {{ printf "issuer: is %s, but must have no query, fragment or trailing slash" $v.issuer | quote }}
{{- end }}
{{- range $path, $instead := dict "issuer" "issuer" "store.sqlite" "persistence.enabled" "store.postgres" "database.existingSecret" "listen.tls" "tls.mode" "keys.secret" "keys.existingSecret" "policies.path" "policies.inline, policies.configMaps or policies.existingClaim" }}
{{- $names := splitList "." $path }}
{{- $found := index $v.config (first $names) }}
{{- if and $found (gt (len $names) 1) }}{{ $found = index $found (last $names) }}{{ end }}
{{- if $found }}
- {{ printf "config.%s: is written by the chart; set %s" $path $instead | quote }}
{{- end }}
{{- end }}
{{- if lt (int $v.terminationGracePeriodSeconds) (add (int $v.lingerSeconds) 23 | int) }}
- {{ printf "terminationGracePeriodSeconds: is %v, less than lingerSeconds (%v) and 23 s for requests under way, which would be cut off" $v.terminationGracePeriodSeconds $v.lingerSeconds | quote }}
{{- end }}
{{- end -}}

{{- define "countersign.validate.state" -}}
{{- $v := .Values -}}
{{- $database := ne $v.database.existingSecret "" -}}
{{- if and (gt (int $v.replicas) 1) (not $database) (not $v.autoscaling.enabled) }}
- {{ printf "replicas: is %v, but replicas share their state in PostgreSQL: set database.existingSecret, or replicas to 1" $v.replicas | quote }}
{{- end }}
{{- if and $v.autoscaling.enabled (not $database) }}
- "autoscaling.enabled: replicas share their state in PostgreSQL: set database.existingSecret, or autoscaling.enabled to false"
{{- end }}
{{- if and $v.autoscaling.enabled (gt (int $v.autoscaling.minReplicas) (int $v.autoscaling.maxReplicas)) }}
- {{ printf "autoscaling.minReplicas: is %v, more than autoscaling.maxReplicas (%v)" $v.autoscaling.minReplicas $v.autoscaling.maxReplicas | quote }}
{{- end }}
{{- $least := ternary $v.autoscaling.minReplicas $v.replicas $v.autoscaling.enabled | int }}
{{- if and $v.podDisruptionBudget.enabled (lt $least 2) }}
- "podDisruptionBudget.enabled: protects nothing with one replica: set replicas (or autoscaling.minReplicas) to 2 or more"
{{- end }}
{{- if and $database $v.persistence.enabled }}
- "persistence.enabled: is for the embedded store, and database.existingSecret replaces it: set one of the two"
{{- end }}
{{- if and $v.config.store (not $database) }}
- "config.store: has settings for PostgreSQL, and there is no database.existingSecret"
{{- end }}
{{- if and $v.database.caConfigMap (not $database) }}
- "database.caConfigMap: is not used without database.existingSecret"
{{- end }}
{{- if and $v.persistence.existingClaim (not $v.persistence.enabled) }}
- "persistence.existingClaim: is not used while persistence.enabled is false"
{{- end }}
{{- end -}}

{{- define "countersign.validate.tls" -}}
{{- $tls := .Values.tls -}}
{{- if and (eq $tls.mode "existingSecret") (not $tls.existingSecret) }}
- "tls.existingSecret: is required by tls.mode existingSecret: the name of a Secret with tls.crt and tls.key"
{{- end }}
{{- if and (ne $tls.mode "existingSecret") $tls.existingSecret }}
- {{ printf "tls.existingSecret: is not used with tls.mode %s: set tls.mode to existingSecret, or take it out" $tls.mode | quote }}
{{- end }}
{{- if and (eq $tls.mode "certManager") (not $tls.certManager.issuerRef.name) }}
- "tls.certManager.issuerRef.name: is required by tls.mode certManager"
{{- end }}
{{- if and (ne $tls.mode "certManager") $tls.certManager.issuerRef.name }}
- {{ printf "tls.certManager.issuerRef.name: is not used with tls.mode %s: set tls.mode to certManager, or take it out" $tls.mode | quote }}
{{- end }}
{{- if and (eq $tls.mode "selfSigned") $tls.caConfigMap }}
- "tls.caConfigMap: is written by the chart with tls.mode selfSigned"
{{- end }}
{{- if and $tls.extraNames (has $tls.mode (list "existingSecret" "off")) }}
- {{ printf "tls.extraNames: has no effect with tls.mode %s" $tls.mode | quote }}
{{- end }}
{{- if and (eq $tls.mode "off") (ne $tls.clientCertificates "off") }}
- "tls.clientCertificates: is shown in TLS connections: tls.mode is off; a proxy forwards certificates in Client-Cert"
{{- end }}
{{- if and $tls.clientCaConfigMap (ne $tls.clientCertificates "request") }}
- "tls.clientCaConfigMap: is not used without tls.clientCertificates: request"
{{- end }}
{{- if and (eq $tls.mode "off") (include "countersign.readers" .) }}
- "metrics.readers: need TLS: tls.mode is off"
{{- end }}
{{- end -}}

{{- define "countersign.validate.trust" -}}
{{- $v := .Values -}}
{{- $trust := default list $v.config.trust -}}
{{- if and (not $v.cluster.enabled) (not $trust) }}
- "cluster.enabled: is false and config.trust is empty: nobody could vouch for a workload"
{{- end }}
{{- if and $v.probe.enabled (not $v.cluster.enabled) }}
- "probe.enabled: the probers of helm test are workloads of this cluster: set cluster.enabled to true, or probe.enabled to false"
{{- end }}
{{- if and (not $v.probe.enabled) (not $v.config.resources) }}
- "config.resources: is empty and probe.enabled is false: there would be nothing to issue tokens for"
{{- end }}
{{- range $index, $entry := $trust }}
{{- if and $v.cluster.enabled (eq (dig "kubernetes" "cluster" "" $entry) $v.cluster.name) }}
- {{ printf "config.trust[%d].kubernetes.cluster: is %s, as cluster.name is: give one of them another name" $index $v.cluster.name | quote }}
{{- end }}
{{- end }}
{{- range $index, $resource := default list $v.config.resources }}
{{- if and $v.probe.enabled (eq (toString $resource.audience) (include "countersign.probeAudience" $)) }}
- {{ printf "config.resources[%d].audience: is that of the probe" $index | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "countersign.validate.policies" -}}
{{- $v := .Values -}}
{{- range $name := list "chart" "volume" }}
{{- if has $name $v.policies.configMaps }}
- {{ printf "policies.configMaps: %s is a folder of the chart's own; give the ConfigMap another name" $name | quote }}
{{- end }}
{{- end }}
{{- $own := list }}
{{- if $v.policies.starter }}{{ $own = append $own "deny-all.cedar" }}{{ end }}
{{- if $v.probe.enabled }}{{ $own = concat $own (list "countersign-probe.cedar" "countersign-probe.test.yaml") }}{{ end }}
{{- range $own }}
{{- if hasKey $v.policies.inline . }}
- {{ printf "policies.inline: %s is a file of the chart's own; give it another name" . | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "countersign.validate.network" -}}
{{- $v := .Values -}}
{{- if and $v.metrics.serviceMonitor.enabled (not $v.metrics.readers) }}
- "metrics.serviceMonitor.enabled: /metrics answers only whom metrics.readers names: add Prometheus' service account, such as monitoring/prometheus"
{{- end }}
{{- if and $v.networkPolicy.enabled $v.database.existingSecret (not $v.networkPolicy.egress) }}
- "networkPolicy.egress: must let PostgreSQL through: database.existingSecret is set"
{{- end }}
{{- if and $v.networkPolicy.enabled $v.metrics.readers (not $v.networkPolicy.metricsFrom) }}
- "networkPolicy.metricsFrom: must let metrics.readers through"
{{- end }}
{{- if and $v.networkPolicy.metricsFrom (not (include "countersign.readers" .)) }}
- "networkPolicy.metricsFrom: the admin port is not exposed: name metrics.readers"
{{- end }}
{{- end -}}
